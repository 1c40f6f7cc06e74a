// See the header.
#include "tuner/unfinished_sessions.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>

#include "farm/client.h"
#include "tuner/trial_note.h"

namespace tilth {
namespace {

// A tuner that lives is heard of many times a second.
constexpr double kGoneS = 2;
constexpr std::chrono::milliseconds kPoll{100};
constexpr int kMostPolls = 100;
constexpr int64_t kWaitMs = 5'000;
constexpr int64_t kPatienceMs = 60'000;  // with a tracker that is away

bool HasWork(const JobStatus& job) { return job.queued + job.running + job.undelivered > 0; }

// Those of the sessions for which the tracker has something.
StatusOr<std::vector<JobStatus>> WithWork(const std::string& address, const std::vector<std::string>& sessions) {
  TILTH_ASSIGN_OR_RETURN(std::vector<JobStatus> jobs, ListJobs(address, kPatienceMs));
  std::erase_if(jobs, [&](const JobStatus& job) {
    return !HasWork(job) || std::find(sessions.begin(), sessions.end(), job.session_id) == sessions.end();
  });
  return jobs;
}

// Until nothing is left; what no device begins in time is left behind.
Status Collect(const std::string& address, const std::string& session, FarmClient& client,
               const std::function<Status(const std::vector<MeasureResult>&)>& record) {
  for (;;) {
    TILTH_ASSIGN_OR_RETURN(const std::vector<MeasureResult> results, client.WaitResults(kWaitMs));
    TILTH_RETURN_IF_ERROR(record(results));
    TILTH_RETURN_IF_ERROR(client.Acknowledge());
    TILTH_ASSIGN_OR_RETURN(const std::vector<JobStatus> left, WithWork(address, {session}));
    if (left.empty() || (results.empty() && left.front().running == 0)) return absl::OkStatus();
  }
}

// Those whose clients have not been heard of for a while, which takes a while to tell.
StatusOr<std::vector<std::string>> Abandoned(const std::string& address, const std::vector<std::string>& sessions) {
  std::vector<std::string> abandoned;
  for (int poll = 0; poll < kMostPolls; ++poll) {
    TILTH_ASSIGN_OR_RETURN(const std::vector<JobStatus> jobs, WithWork(address, sessions));
    abandoned.clear();
    for (const JobStatus& job : jobs) {
      if (job.idle_seconds >= kGoneS) abandoned.push_back(job.session_id);
    }
    if (abandoned.size() == jobs.size()) break;
    std::this_thread::sleep_for(kPoll);
  }
  return abandoned;
}

}  // namespace

Status CollectUnfinishedSessions(const std::string& address, const std::string& device_class,
                                 const std::vector<std::string>& sessions,
                                 const std::function<Status(const std::vector<MeasureResult>&)>& record) {
  if (sessions.empty()) return absl::OkStatus();
  TILTH_ASSIGN_OR_RETURN(const std::vector<std::string> abandoned, Abandoned(address, sessions));
  for (const std::string& session : abandoned) {
    TILTH_ASSIGN_OR_RETURN(const std::unique_ptr<FarmClient> client,
                           FarmClient::Connect({.address = address,
                                                .device_class = device_class,
                                                .session_name = "a tuner that was killed",
                                                .session_id = session,
                                                .take_over = true}));
    TILTH_RETURN_IF_ERROR(Collect(address, session, *client, record));
  }
  return absl::OkStatus();
}

std::vector<MeasureOutcome> OutcomesOf(const std::vector<MeasureResult>& results, const std::vector<TuningTask>& tasks,
                                       const std::string& target_hash) {
  std::vector<MeasureOutcome> outcomes;
  for (const MeasureResult& result : results) {
    const StatusOr<TrialNote> note = TrialNoteFromText(result.note);
    if (!result.status.ok() || !note.ok() || note->target_hash != target_hash || note->origin == kOriginFinal) continue;
    const auto task = std::find_if(tasks.begin(), tasks.end(),
                                   [&](const TuningTask& task) { return task.workload_hash() == note->workload_hash; });
    if (task == tasks.end()) continue;
    const StatusOr<Decisions> decisions = DecisionsFromJson(note->decisions);
    const StatusOr<Candidate> candidate =
        decisions.ok() ? task->space().FromDecisions(*decisions) : StatusOr<Candidate>(decisions.status());
    if (!candidate.ok()) continue;
    MeasureOutcome& outcome = outcomes.emplace_back();
    outcome.job.task = static_cast<int>(task - tasks.begin());
    outcome.job.space = task->shared_space();
    outcome.job.candidate = *candidate;
    outcome.job.origin = note->origin;
    outcome.job.trial_id = result.trial_id;
    outcome.error = result.error;
    outcome.detail = result.detail;
    outcome.artifact_hash = note->artifact_hash;
    outcome.build_s = note->build_s;
    outcome.result = result;
  }
  return outcomes;
}

}  // namespace tilth
