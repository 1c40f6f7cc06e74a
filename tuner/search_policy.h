// SearchPolicy: which candidates of a space to measure next.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "base/rng.h"
#include "base/status.h"
#include "cost_model/cost_model.h"
#include "search_space/space.h"

namespace tilth {

struct CandidateHash {
  size_t operator()(const Candidate& candidate) const { return static_cast<size_t>(HashOf(candidate)); }
};
using CandidateSet = absl::flat_hash_set<Candidate, CandidateHash>;

// Equal for candidates that lower to the same program: knobs that a small extent clamps to the same tile.
uint64_t ScheduleKey(const LoopNest& nest);

// What has been measured, or is being measured: never proposed again.
class TakenCandidates {
 public:
  void Insert(const SearchSpace& space, const Candidate& candidate);
  void Erase(const SearchSpace& space, const Candidate& candidate);
  bool Contains(const Candidate& candidate) const { return candidates_.contains(candidate); }
  bool ContainsSchedule(uint64_t key) const { return schedules_.contains(key); }
  size_t size() const { return candidates_.size(); }

 private:
  CandidateSet candidates_;
  absl::flat_hash_set<uint64_t> schedules_;
};

struct MeasuredCandidate {
  Candidate candidate;
  double median_ns = 0;  // 0: it failed
};

struct SearchRequest {
  const SearchSpace* space = nullptr;
  const CostModel* model = nullptr;
  std::span<const MeasuredCandidate> measured;
  const TakenCandidates* taken = nullptr;
  int count = 1;
};

struct Proposal {
  Candidate candidate;
  std::string origin;  // why, for the log: "model", "random", …
};

// Stateless between calls apart from counters; confined to one thread.
class SearchPolicy {
 public:
  virtual ~SearchPolicy() = default;

  // At most `count` candidates of different schedules that are not taken, the most promising first; fewer only if the
  // space has (or the search finds) no more. Deterministic in the request and the state of `rng`. Errors: those of the
  // model.
  virtual StatusOr<std::vector<Proposal>> Propose(const SearchRequest& request, Rng& rng) = 0;

  // Candidates scored by the model so far.
  virtual int64_t candidates_scored() const = 0;
};

}  // namespace tilth
