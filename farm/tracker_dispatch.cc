// Which trial goes to which device. Trials wait in their sessions, sessions in the fair queue of their class; free
// devices wait in groups of those that may get the same sessions' trials. Handing one out costs O(log n).
#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "farm/event_log.h"
#include "farm/tracker.h"

namespace tilth {
namespace {

// Of a session's queue, when those at its front avoid the device.
constexpr int kLookAhead = 8;
// The same for those that wait for the device of others, and what a session may have of such words.
constexpr int kLookAheadForWords = 64;
constexpr size_t kMostWords = 4'096;
// Larger blobs are fetched by the agent, so that they do not hold its stream.
constexpr size_t kMaxPushedBytes = size_t{4} << 20;
// Blobs that a device is known to have; others are sent again.
constexpr size_t kRememberedBlobs = 128;

// Whether a device beside `device` could get trials of the session.
bool SomebodyElse(const SessionState& session, const ClassState& device_class, const DeviceState& device) {
  int usable = 0;
  for (const auto& [key, group] : device_class.groups) {
    if (Fits(session, group)) usable += group.usable;
  }
  return usable > (device.group != nullptr ? 1 : 0);
}

uint64_t ShortHash(const std::string& hash) { return std::stoull(hash.substr(0, 16), nullptr, 16); }

}  // namespace

bool Fits(const SessionState& session, const DeviceGroup& group) {
  const std::vector<std::string>& wanted = session.stored.device_tags;
  if (!group.reserved_for.empty() && group.reserved_for != session.stored.user) return false;
  return std::includes(group.tags.begin(), group.tags.end(), wanted.begin(), wanted.end());
}

ClassState* Tracker::ClassOf(const std::string& device_class) {
  std::unique_ptr<ClassState>& found = classes_[device_class];
  if (found == nullptr) found = std::make_unique<ClassState>();
  return found.get();
}

void Tracker::Enqueue(TrialState& trial) {
  SessionState& session = *trial.session;
  session.queue.insert(&trial);
  ClassOf(session.stored.device_class)
      ->queue.Add({.number = session.number,
                   .user = session.stored.user,
                   .priority = session.stored.priority,
                   .trial_seconds = session.trial_seconds});
  const int64_t deadline_ms = trial.trial.queue_deadline_ms();
  if (deadline_ms > 0 && trial.lease.attempts == 0) {
    const int64_t left_ms = std::max<int64_t>(0, trial.submitted_ms + deadline_ms - clock_.WallMs());
    trial.phase_deadline_ns = clock_.NowNs() + left_ms * 1'000'000;
    SetTimer(trial);
  }
}

void Tracker::Dequeue(TrialState& trial) {
  SessionState& session = *trial.session;
  session.queue.erase(&trial);
  if (session.queue.empty()) ClassOf(session.stored.device_class)->queue.Remove(session.number);
  trial.phase_deadline_ns = kNever;
}

bool Tracker::Usable(const DeviceState& device) const {
  return device.port != nullptr && device.settings.mode == StoredDevice::Mode::kOpen && device.health.MayWork() &&
         device.rests_until_ns == 0;
}

void Tracker::UpdateFree(DeviceState& device) {
  DeviceGroup* group = nullptr;
  if (Usable(device)) {
    group = &device.device_class->groups[{device.tags, device.settings.reserved_for}];
    group->tags = device.tags;
    group->reserved_for = device.settings.reserved_for;
  }
  if (device.free_key) device.group->free.erase(*device.free_key);
  device.free_key.reset();
  if (device.group != group) {
    if (group != nullptr) ++group->usable;
    if (device.group != nullptr && --device.group->usable == 0) {
      device.device_class->groups.erase({device.group->tags, device.group->reserved_for});
    }
    device.group = group;
  }
  if (group == nullptr || device.occupied() >= device.slots) return;
  device.free_key = {device.occupied(), device.turn};
  group->free[*device.free_key] = &device;
}

void Tracker::Dispatch(ClassState& device_class) {
  absl::flat_hash_set<const DeviceGroup*> exhausted;
  while (!device_class.queue.empty()) {
    DeviceGroup* best = nullptr;
    for (auto& [key, group] : device_class.groups) {
      if (group.free.empty() || exhausted.contains(&group)) continue;
      if (best == nullptr || group.free.begin()->first < best->free.begin()->first) best = &group;
    }
    if (best == nullptr) return;
    // What the first device must not get, because it has lost it, the second of its group may.
    auto device = best->free.begin();
    Match match = NextMatch(device_class, *best, *device->second);
    if (match.trial == nullptr && ++device != best->free.end()) match = NextMatch(device_class, *best, *device->second);
    if (match.trial != nullptr) {
      Grant(*match.trial, *match.device);
    } else {
      exhausted.insert(best);
    }
  }
}

Tracker::Match Tracker::NextMatch(ClassState& device_class, const DeviceGroup& group, DeviceState& device) {
  const std::optional<uint64_t> number = device_class.queue.Next([&](uint64_t candidate) {
    SessionState& session = *sessions_by_number_.at(candidate);
    return Fits(session, group) && FirstFor(session, device_class, device).trial != nullptr;
  });
  return number ? FirstFor(*sessions_by_number_.at(*number), device_class, device) : Match{};
}

Tracker::Match Tracker::FirstFor(SessionState& session, const ClassState& device_class, DeviceState& device) {
  int seen = 0, waiting = 0;
  for (TrialState* trial : session.queue) {
    if (DeviceState* companion = DeviceOfWord(*trial)) {
      if (companion->free_key) return {trial, companion};
      if (++waiting == kLookAheadForWords) break;
      continue;
    }
    if (trial->avoided_agent != device.agent_id || !SomebodyElse(session, device_class, device))
      return {trial, &device};
    if (++seen == kLookAhead) break;
  }
  return {};
}

DeviceState* Tracker::DeviceOfWord(const TrialState& trial) const {
  const SessionState& session = *trial.session;
  const auto agent = session.device_of_word.find(trial.trial.together());
  if (agent == session.device_of_word.end() || agent->second == trial.avoided_agent) return nullptr;
  const auto device = devices_.find(agent->second);
  const bool may_work = device != devices_.end() && Usable(*device->second) && Fits(session, *device->second->group);
  return may_work ? device->second.get() : nullptr;
}

void Tracker::RememberWord(const TrialState& trial) {
  if (trial.trial.together().empty()) return;
  auto& devices = trial.session->device_of_word;
  if (devices.size() >= kMostWords) devices.clear();
  devices[trial.trial.together()] = trial.lease.agent_id;
}

void Tracker::Grant(TrialState& trial, DeviceState& device) {
  SessionState& session = *trial.session;
  Dequeue(trial);
  trial.lease.token = NextToken();
  trial.lease.agent_id = device.agent_id;
  ++trial.lease.attempts;
  Note(store_.PutLease(session.stored.id, trial.id(), trial.lease));
  RememberWord(trial);
  trial.started = false;
  ++session.running;
  RenewLease(trial);
  device.leases.push_back(&trial);
  device.turn = ++last_number_;
  LogEvent(LogLevel::kInfo, "trial-leased")
      .Add("trial", trial.id())
      .Add("session", session.stored.id)
      .Add("agent", device.agent_id)
      .Add("attempt", trial.lease.attempts);
  WatchTransfer(device);
  UpdateFree(device);
  proto::TrackerMessage message;
  proto::Grant* grant = message.mutable_grant();
  grant->mutable_lease()->set_session_id(session.stored.id);
  grant->mutable_lease()->set_trial_id(trial.id());
  grant->mutable_lease()->set_token(trial.lease.token);
  grant->mutable_lease()->set_waited_ms(std::max<int64_t>(0, clock_.WallMs() - trial.submitted_ms));
  *grant->mutable_trial() = trial.trial;
  AddBlobs(device, trial.trial, grant);
  if (options_.observer != nullptr) {
    int64_t blob_bytes = 0;
    for (const proto::Blob& blob : grant->blobs()) blob_bytes += static_cast<int64_t>(blob.data().size());
    options_.observer->OnGranted(session.stored.device_class, grant->lease().waited_ms(), blob_bytes);
  }
  Send(device, std::move(message));
}

void Tracker::AddBlobs(DeviceState& device, const proto::Trial& trial, proto::Grant* grant) {
  size_t pushed_bytes = 0;
  for (const std::string& hash : {trial.baseline_hash(), trial.artifact_hash()}) {
    const uint64_t short_hash = ShortHash(hash);
    const auto known = std::find(device.sent_blobs.begin(), device.sent_blobs.end(), short_hash);
    if (known != device.sent_blobs.end()) {
      std::rotate(known, known + 1, device.sent_blobs.end());
      continue;
    }
    StatusOr<std::string> frame = store_.GetBlob(hash);
    // One that is gone from a damaged store is missed by the agent, which gives the trial back.
    if (!absl::IsNotFound(frame.status())) Note(frame.status());
    if (!frame.ok()) continue;
    pushed_bytes += frame->size();
    if (pushed_bytes > kMaxPushedBytes) continue;
    proto::Blob* blob = grant->add_blobs();
    blob->set_hash(hash);
    blob->set_data(*std::move(frame));
    if (device.sent_blobs.size() == kRememberedBlobs) device.sent_blobs.erase(device.sent_blobs.begin());
    device.sent_blobs.push_back(short_hash);
  }
}

}  // namespace tilth
