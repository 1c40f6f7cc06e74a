#include "farm/write_behind_store.h"

#include <utility>

#include "absl/algorithm/container.h"
#include "base/clock.h"

namespace tilth {
namespace {

// What may wait for a disk that has stopped, until everybody waits for it.
constexpr size_t kMostUnwrittenBytes = size_t{64} << 20;
constexpr size_t kChangeBytes = 200;  // of a change without its texts
constexpr int64_t kLongestWithoutPromiseNs = 10'000'000;

}  // namespace

WriteBehindStore::WriteBehindStore(Store& behind, TrackerObserver* observer)
    : behind_(behind), observer_(observer), thread_([this] { Run(); }) {}

WriteBehindStore::~WriteBehindStore() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

Status WriteBehindStore::failure() const {
  std::lock_guard lock(mutex_);
  return failure_;
}

bool WriteBehindStore::Ready() const {
  std::lock_guard lock(mutex_);
  return failure_.ok() && unwritten_bytes_ < kMostUnwrittenBytes;
}

Status WriteBehindStore::Begin() {
  std::unique_lock lock(mutex_);
  if (unwritten_bytes_ < kMostUnwrittenBytes) return absl::OkStatus();
  Hurry();
  rest_.wait(lock, [this] { return unwritten_bytes_ < kMostUnwrittenBytes; });
  return absl::OkStatus();
}

Status WriteBehindStore::Commit() {
  Commit({});
  return absl::OkStatus();
}

void WriteBehindStore::Commit(std::vector<Promise> promises) {
  Batch batch = std::exchange(open_, {});
  batch.promises = std::move(promises);
  const int64_t now_ns = SystemClock().NowNs();
  std::lock_guard lock(mutex_);
  if (waiting_.empty()) first_waits_since_ns_ = now_ns;
  const bool promised = !batch.promises.empty();
  if (promised || !batch.changes.empty()) waiting_.push_back(std::move(batch));
  if (promised || now_ns - first_waits_since_ns_ > kLongestWithoutPromiseNs) Hurry();
}

void WriteBehindStore::Hurry() {
  hurry_ = true;
  wake_.notify_one();
}

void WriteBehindStore::Rollback() {
  std::lock_guard lock(mutex_);
  LetGo(std::exchange(open_, {}));
}

void WriteBehindStore::GoBack(const Status& why) {
  Rollback();
  std::vector<Batch> forgotten;
  {
    std::unique_lock lock(mutex_);
    forgotten = std::exchange(waiting_, {});
    for (const Batch& batch : forgotten) LetGo(batch);
    rest_.wait(lock, [this] { return !writing_; });
    failure_ = absl::OkStatus();
  }
  for (Batch& batch : forgotten) {
    for (Promise& promise : batch.promises) promise(why);
  }
}

void WriteBehindStore::LetGo(const Batch& batch) {
  unwritten_bytes_ -= batch.bytes;
  for (const std::string& hash : batch.blobs) {
    const auto blob = unwritten_blobs_.find(hash);
    if (--blob->second.batches == 0) unwritten_blobs_.erase(blob);
  }
}

void WriteBehindStore::WaitUntilAllIsWritten() {
  std::unique_lock lock(mutex_);
  Hurry();
  rest_.wait(lock, [this] { return waiting_.empty() && !writing_; });
}

void WriteBehindStore::Run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return hurry_ || stop_; });
    hurry_ = false;
    std::vector<Batch> batches = std::exchange(waiting_, {});
    if (batches.empty()) {
      if (stop_) return;
      continue;
    }
    writing_ = true;
    Status status = failure_;
    lock.unlock();
    if (status.ok()) status = Write(batches);
    lock.lock();
    failure_ = status;
    lock.unlock();
    for (Batch& batch : batches) {
      for (Promise& promise : batch.promises) promise(status);
    }
    lock.lock();
    for (const Batch& batch : batches) LetGo(batch);
    writing_ = false;
    rest_.notify_all();
    lock.unlock();
    batches.clear();  // which may be much
    lock.lock();
  }
}

Status WriteBehindStore::Write(std::vector<Batch>& batches) {
  if (absl::c_all_of(batches, [](const Batch& batch) { return batch.changes.empty(); })) return absl::OkStatus();
  const int64_t begun_ns = SystemClock().NowNs();
  Status status = behind_.Begin();
  for (Batch& batch : batches) {
    for (Change& change : batch.changes) {
      if (status.ok()) status = change(behind_);
    }
  }
  if (status.ok()) status = behind_.Commit();
  if (!status.ok()) {
    behind_.Rollback();
    return StoreFailure(status);
  }
  if (observer_ != nullptr) observer_->OnStored(SystemClock().NowNs() - begun_ns);
  return status;
}

StatusOr<uint64_t> WriteBehindStore::NextEpoch() {
  WaitUntilAllIsWritten();
  return behind_.NextEpoch();
}

StatusOr<StoredContents> WriteBehindStore::Load() {
  WaitUntilAllIsWritten();
  return behind_.Load();
}

Status WriteBehindStore::Add(size_t bytes, Change change) {
  open_.changes.push_back(std::move(change));
  open_.bytes += kChangeBytes + bytes;
  std::lock_guard lock(mutex_);
  unwritten_bytes_ += kChangeBytes + bytes;
  return absl::OkStatus();
}

Status WriteBehindStore::PutSession(const StoredSession& session) {
  return Add(0, [session](Store& behind) { return behind.PutSession(session); });
}

Status WriteBehindStore::DeleteSession(const std::string& session_id) {
  return Add(0, [session_id](Store& behind) { return behind.DeleteSession(session_id); });
}

Status WriteBehindStore::AddTrial(const std::string& session_id, const StoredTrial& trial) {
  return Add(trial.trial.size() + trial.result.size(),
             [session_id, trial](Store& behind) { return behind.AddTrial(session_id, trial); });
}

Status WriteBehindStore::PutLease(const std::string& session_id, const std::string& trial_id,
                                  const StoredLease& lease) {
  return Add(0, [session_id, trial_id, lease](Store& behind) { return behind.PutLease(session_id, trial_id, lease); });
}

Status WriteBehindStore::PutResult(const std::string& session_id, const std::string& trial_id,
                                   std::string_view result) {
  return Add(result.size(), [session_id, trial_id, result = std::string(result)](Store& behind) {
    return behind.PutResult(session_id, trial_id, result);
  });
}

Status WriteBehindStore::DeleteTrial(const std::string& session_id, const std::string& trial_id) {
  return Add(0, [session_id, trial_id](Store& behind) { return behind.DeleteTrial(session_id, trial_id); });
}

Status WriteBehindStore::PutBlob(const std::string& hash, std::string_view frame) {
  auto kept = std::make_shared<const std::string>(frame);
  open_.blobs.push_back(hash);
  {
    std::lock_guard lock(mutex_);
    UnwrittenBlob& blob = unwritten_blobs_[hash];
    blob.frame = kept;
    ++blob.batches;
  }
  return Add(frame.size(), [hash, kept = std::move(kept)](Store& behind) { return behind.PutBlob(hash, *kept); });
}

StatusOr<std::string> WriteBehindStore::GetBlob(const std::string& hash) {
  {
    std::lock_guard lock(mutex_);
    if (const auto blob = unwritten_blobs_.find(hash); blob != unwritten_blobs_.end()) return *blob->second.frame;
  }
  return behind_.GetBlob(hash);
}

Status WriteBehindStore::DeleteBlob(const std::string& hash) {
  return Add(0, [hash](Store& behind) { return behind.DeleteBlob(hash); });
}

Status WriteBehindStore::PutDevice(const StoredDevice& device) {
  return Add(0, [device](Store& behind) { return behind.PutDevice(device); });
}

Status WriteBehindStore::PutRecord(const StoredRecord& record) {
  return Add(record.hello.size(), [record](Store& behind) { return behind.PutRecord(record); });
}

Status WriteBehindStore::DeleteRecord(const std::string& agent_id) {
  return Add(0, [agent_id](Store& behind) { return behind.DeleteRecord(agent_id); });
}

Status WriteBehindStore::PutPoison(const StoredPoison& poison) {
  return Add(0, [poison](Store& behind) { return behind.PutPoison(poison); });
}

Status WriteBehindStore::DeletePoison(const std::string& artifact_hash) {
  return Add(0, [artifact_hash](Store& behind) { return behind.DeletePoison(artifact_hash); });
}

}  // namespace tilth
