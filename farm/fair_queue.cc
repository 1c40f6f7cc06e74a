#include "farm/fair_queue.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace tilth {
namespace {

// Short beside most trials, so that turns are short, too.
constexpr double kQuantumSeconds = 0.05;
constexpr double kCheapest = 1e-3, kDearest = 600;

}  // namespace

void FairQueue::Add(const Session& session) {
  if (sessions_.contains(session.number)) return;
  const int level = std::max(0, session.priority);
  Ring& ring = levels_[level];
  auto [user, is_new] = users_.try_emplace({level, session.user});
  if (is_new) user->second = ring.insert(ring.end(), User{.name = session.user});
  const std::pair<int, uint64_t> key(-session.priority, session.number);
  user->second->sessions[key] = std::clamp(session.trial_seconds, kCheapest, kDearest);
  sessions_[session.number] = {level, user->second, key};
}

void FairQueue::Remove(uint64_t number) {
  const auto found = sessions_.find(number);
  if (found == sessions_.end()) return;
  const Place place = found->second;
  sessions_.erase(found);
  place.user->sessions.erase(place.key);
  if (!place.user->sessions.empty()) return;
  // What is left of a deficit is not kept for later: a share that nobody used is gone.
  users_.erase({place.level, place.user->name});
  Ring& ring = levels_[place.level];
  ring.erase(place.user);
  if (ring.empty()) levels_.erase(place.level);
}

void FairQueue::SetTrialSeconds(uint64_t number, double trial_seconds) {
  const auto found = sessions_.find(number);
  if (found == sessions_.end()) return;
  found->second.user->sessions[found->second.key] = std::clamp(trial_seconds, kCheapest, kDearest);
}

std::optional<uint64_t> FairQueue::Next(absl::FunctionRef<bool(uint64_t)> accepts) {
  for (auto& [level, ring] : levels_) {
    if (const std::optional<uint64_t> number = NextOf(ring, accepts)) return number;
  }
  return std::nullopt;
}

std::optional<uint64_t> FairQueue::NextOf(Ring& ring, absl::FunctionRef<bool(uint64_t)> accepts) {
  struct Taker {
    Ring::iterator user;
    uint64_t number;
    double seconds;
    double quanta;  // how often the turn must come to it before it can pay
  };
  std::vector<Taker> takers;
  for (auto user = ring.begin(); user != ring.end(); ++user) {
    for (const auto& [key, seconds] : user->sessions) {
      if (!accepts(key.second)) continue;
      const double quanta = std::max(0.0, std::ceil((seconds - user->deficit_s) / kQuantumSeconds));
      takers.push_back({user, key.second, seconds, quanta});
      break;
    }
  }
  if (takers.empty()) return std::nullopt;
  // Instead of going round until somebody can pay: who will be the first, and how many quanta has each got by then? A
  // head in its turn has had its quantum, so unless it can pay now, it comes last in every round.
  if (takers.front().user->in_turn && takers.front().quanta > 0) {
    std::rotate(takers.begin(), takers.begin() + 1, takers.end());
  }
  const auto first = std::min_element(takers.begin(), takers.end(),
                                      [](const Taker& a, const Taker& b) { return a.quanta < b.quanta; });
  for (auto taker = takers.begin(); taker != takers.end(); ++taker) {
    const double quanta = first->quanta - (taker > first ? 1 : 0);
    if (quanta > 0) taker->user->deficit_s += quanta * kQuantumSeconds;
  }
  ring.front().in_turn = false;
  first->user->in_turn = true;
  first->user->deficit_s -= first->seconds;
  ring.splice(ring.end(), ring, ring.begin(), first->user);
  return first->number;
}

}  // namespace tilth
