// A store that the tracker does not wait for. The changes of a transaction are kept in memory; Commit hands them to a
// thread of this store's own, which makes them in the store behind it, in order: all that have gathered while it was at
// work in one transaction, with one wait for the disk. Then it keeps the promises that were made with them. Changes
// that nothing was promised with wait for some that have a promise, for a while.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "base/status.h"
#include "farm/store.h"
#include "farm/tracker_observer.h"

namespace tilth {

// For one thread at a time, but for failure(). Changes report no error of their own: the first that the store behind
// has is failure(), and from then on nothing is written and every promise gets it, until GoBack.
class WriteBehindStore final : public Store {
 public:
  // Called once, by the thread of this store, with the status of what it is about. It must not call this store.
  using Promise = absl::AnyInvocable<void(const Status& status)>;

  // `behind` and `observer`, which may be null, must outlive it.
  WriteBehindStore(Store& behind, TrackerObserver* observer);
  ~WriteBehindStore() override;  // what has been committed is written first
  WriteBehindStore(const WriteBehindStore&) = delete;
  WriteBehindStore& operator=(const WriteBehindStore&) = delete;

  // OK, or UNAVAILABLE with what the store behind said.
  Status failure() const;
  // Begin would not wait, and there is no failure.
  bool Ready() const;
  // `promises` are about what is committed, or were made before: they are called in order, when all of that would
  // survive a power cut, or with UNAVAILABLE, when it does not.
  void Commit(std::vector<Promise> promises);
  // Forgets what the store behind has not got, whose promises get `why`, and waits until it is at rest. Then Load tells
  // how things stand there.
  void GoBack(const Status& why);

  // Of the store behind, when it is at rest.
  StatusOr<uint64_t> NextEpoch() override;
  StatusOr<StoredContents> Load() override;

  // OK; waits if the store behind has fallen behind too far.
  Status Begin() override;
  Status Commit() override;
  void Rollback() override;

  Status PutSession(const StoredSession& session) override;
  Status DeleteSession(const std::string& session_id) override;
  Status AddTrial(const std::string& session_id, const StoredTrial& trial) override;
  Status PutLease(const std::string& session_id, const std::string& trial_id, const StoredLease& lease) override;
  Status PutResult(const std::string& session_id, const std::string& trial_id, std::string_view result) override;
  Status DeleteTrial(const std::string& session_id, const std::string& trial_id) override;
  Status PutBlob(const std::string& hash, std::string_view frame) override;
  // Sees the open transaction and all before it, but may still find what they have deleted.
  StatusOr<std::string> GetBlob(const std::string& hash) override;
  Status DeleteBlob(const std::string& hash) override;
  Status PutDevice(const StoredDevice& device) override;
  Status PutRecord(const StoredRecord& record) override;
  Status DeleteRecord(const std::string& agent_id) override;
  Status PutPoison(const StoredPoison& poison) override;
  Status DeletePoison(const std::string& artifact_hash) override;

 private:
  using Change = absl::AnyInvocable<Status(Store& behind)>;
  // What was committed at once.
  struct Batch {
    std::vector<Change> changes;
    std::vector<Promise> promises;
    std::vector<std::string> blobs;  // that it stores
    size_t bytes = 0;                // about
  };
  // A blob that the store behind may not have yet.
  struct UnwrittenBlob {
    std::shared_ptr<const std::string> frame;
    int batches = 0;  // that store it
  };

  Status Add(size_t bytes, Change change);
  void Hurry();  // with the mutex
  void Run();
  Status Write(std::vector<Batch>& batches);
  // With the mutex: it is written, or forgotten.
  void LetGo(const Batch& batch);
  void WaitUntilAllIsWritten();

  Store& behind_;
  TrackerObserver* const observer_;
  Batch open_;

  mutable std::mutex mutex_;
  std::condition_variable wake_, rest_;  // of the thread; of those who wait for it
  std::vector<Batch> waiting_;
  size_t unwritten_bytes_ = 0;  // of the open batch, of those that wait, and of those that are being written
  absl::flat_hash_map<std::string, UnwrittenBlob> unwritten_blobs_;
  int64_t first_waits_since_ns_ = 0;
  bool writing_ = false;
  bool hurry_ = false;  // what waits has waited long enough
  bool stop_ = false;
  Status failure_;
  std::thread thread_;  // last: it uses the others
};

}  // namespace tilth
