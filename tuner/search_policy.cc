#include "tuner/search_policy.h"

namespace tilth {

void TakenCandidates::Insert(const KnobSpace& space, const Candidate& candidate) {
  candidates_.insert(candidate);
  keys_.insert(space.KeyOf(candidate));
}

void TakenCandidates::Erase(const KnobSpace& space, const Candidate& candidate) {
  candidates_.erase(candidate);
  keys_.erase(space.KeyOf(candidate));
}

}  // namespace tilth
