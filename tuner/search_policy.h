// SearchPolicy: which candidates of a space to measure next.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "base/rng.h"
#include "base/status.h"
#include "search_space/knob_space.h"

namespace tilth {

struct CandidateHash {
  size_t operator()(const Candidate& candidate) const { return static_cast<size_t>(HashOf(candidate)); }
};
using CandidateSet = absl::flat_hash_set<Candidate, CandidateHash>;

// What has been measured, or is being measured: never proposed again.
class TakenCandidates {
 public:
  void Insert(const KnobSpace& space, const Candidate& candidate);
  void Erase(const KnobSpace& space, const Candidate& candidate);
  bool Contains(const Candidate& candidate) const { return candidates_.contains(candidate); }
  // Whether a candidate with this KnobSpace::KeyOf has been inserted.
  bool ContainsKey(uint64_t key) const { return keys_.contains(key); }
  size_t size() const { return candidates_.size(); }

 private:
  CandidateSet candidates_;
  absl::flat_hash_set<uint64_t> keys_;
};

struct MeasuredCandidate {
  Candidate candidate;
  double median_ns = 0;  // 0: it failed
};

// What a policy asks about candidates. One thread at a time.
class CandidateScorer {
 public:
  virtual ~CandidateScorer() = default;
  // For each candidate a score, higher is faster, without a unit; and its KnobSpace::KeyOf, which is computed on the
  // way. All three have the same length.
  virtual Status Score(std::span<const Candidate> candidates, std::span<float> scores, std::span<uint64_t> keys) = 0;
};

struct SearchRequest {
  const KnobSpace* space = nullptr;
  CandidateScorer* scorer = nullptr;
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

  // At most `count` candidates with different keys that are not taken, the most promising first; fewer only if the
  // space has (or the search finds) no more. Deterministic in the request and the state of `rng`. Errors: those of the
  // scorer.
  virtual StatusOr<std::vector<Proposal>> Propose(const SearchRequest& request, Rng& rng) = 0;

  // Candidates scored so far.
  virtual int64_t candidates_scored() const = 0;
};

}  // namespace tilth
