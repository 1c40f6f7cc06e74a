// See the header.
#include "farm/simulation/load_user.h"

#include <chrono>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"
#include "base/clock.h"
#include "base/rng.h"

namespace tilth {
namespace {

constexpr int64_t kCollectMs = 100;
constexpr char kPrefix[] = "load-";

}  // namespace

std::string SubmitTimes::Next() {
  const size_t number = next_++;
  return number < capacity_ ? StrCat(kPrefix, number) : "";
}

std::atomic<int64_t>* SubmitTimes::Find(const std::string& trial_id) const {
  absl::string_view number(trial_id);
  size_t index = 0;
  const bool ours = absl::ConsumePrefix(&number, kPrefix) && absl::SimpleAtoi(number, &index) && index < capacity_;
  return ours ? &times_ns_[index] : nullptr;
}

void SubmitTimes::Set(const std::string& trial_id, int64_t time_ns) { *Find(trial_id) = time_ns; }

int64_t SubmitTimes::Get(const std::string& trial_id) const {
  const std::atomic<int64_t>* time_ns = Find(trial_id);
  return time_ns != nullptr ? time_ns->load() : 0;
}

StatusOr<std::unique_ptr<LoadUser>> LoadUser::Connect(const std::string& tracker, const std::string& device_class,
                                                      const std::string& name, size_t artifact_bytes,
                                                      SubmitTimes& times,
                                                      std::function<void(const std::string&)> on_result) {
  TILTH_ASSIGN_OR_RETURN(std::unique_ptr<FarmClient> client, FarmClient::Connect({.address = tracker,
                                                                                  .in_the_clear = true,
                                                                                  .device_class = device_class,
                                                                                  .session_name = name,
                                                                                  .user = name}));
  std::unique_ptr<LoadUser> user(new LoadUser(std::move(client), times, std::move(on_result)));
  TILTH_ASSIGN_OR_RETURN(user->baseline_hash_, user->client_->PutBlob(StrCat("baseline of ", name)));
  // Machine code hardly compresses; noise does not at all.
  Rng noise(std::hash<std::string>()(name));
  user->artifact_.resize(artifact_bytes);
  for (char& byte : user->artifact_) byte = static_cast<char>(noise());
  return user;
}

LoadUser::LoadUser(std::unique_ptr<FarmClient> client, SubmitTimes& times,
                   std::function<void(const std::string&)> on_result)
    : client_(std::move(client)), times_(times), on_result_(std::move(on_result)), collector_([this] { Collect(); }) {}

LoadUser::~LoadUser() {
  stop_ = true;
  collector_.join();
}

Status LoadUser::Submit(int count, int64_t due_ns) {
  std::vector<Trial> trials(static_cast<size_t>(count));
  const int64_t time_ns = due_ns > 0 ? due_ns : SystemClock().NowNs();
  for (Trial& trial : trials) {
    trial.trial_id = times_.Next();
    if (trial.trial_id.empty()) return absl::ResourceExhaustedError("the load test has used up its trials");
    // Candidates are never the same twice.
    TILTH_ASSIGN_OR_RETURN(trial.artifact_hash, client_->PutBlob(StrCat(artifact_, trial.trial_id)));
    trial.baseline_hash = baseline_hash_;
    times_.Set(trial.trial_id, time_ns);
  }
  open_ += count;
  return client_->Submit(trials);
}

Status LoadUser::WaitOpenBelow(int64_t count, int64_t timeout_ms) {
  std::unique_lock lock(mutex_);
  const bool below =
      answered_.wait_for(lock, std::chrono::milliseconds(timeout_ms), [&] { return open_ < count || !failure_.ok(); });
  if (!failure_.ok()) return failure_;
  return below ? absl::OkStatus()
               : absl::DeadlineExceededError(StrCat(open_.load(), " trials have had no result in time"));
}

void LoadUser::Collect() {
  while (!stop_) {
    const StatusOr<std::vector<MeasureResult>> results = client_->WaitResults(kCollectMs);
    if (results.ok()) {
      for (const MeasureResult& result : *results) on_result_(result.trial_id);
    }
    std::lock_guard lock(mutex_);
    if (results.ok()) {
      open_ -= static_cast<int64_t>(results->size());
    } else {
      failure_ = results.status();
      stop_ = true;
    }
    answered_.notify_all();
  }
}

}  // namespace tilth
