// One Evolution object per proposal: a pool of every candidate seen with its score, and the steps that grow it.
#include "tuner/evolutionary_search.h"

#include <algorithm>
#include <span>
#include <utility>
namespace tilth {
namespace {

struct Scored {
  Candidate candidate;
  uint64_t key = 0;  // KnobSpace::KeyOf
  float score = 0;
};

// Ties are broken by the candidate itself, so that the order does not depend on a hash table's.
bool Better(const Scored& a, const Scored& b) {
  return a.score != b.score ? a.score > b.score : a.candidate < b.candidate;
}

class Evolution {
 public:
  Evolution(const EvolutionOptions& options, const SearchRequest& request, Rng& rng)
      : options_(options), request_(request), space_(*request.space), rng_(rng) {}

  Status Run() {
    if (space_.Size() <= options_.enumerate_below) return Add(space_.Enumerate(options_.enumerate_below));
    TILTH_RETURN_IF_ERROR(Add(Founders()));
    for (int generation = 0; generation < options_.generations; ++generation) {
      TILTH_RETURN_IF_ERROR(Add(Children()));
    }
    return Climb();
  }

  std::vector<Proposal> Pick() {
    std::sort(pool_.begin(), pool_.end(), Better);
    std::vector<Proposal> proposals;
    size_t next = 0;
    while (static_cast<int>(proposals.size()) < request_.count) {
      if (rng_.Uniform() < options_.random_share && AddRandom(&proposals)) continue;
      while (next < pool_.size() && (TooClose(pool_[next].candidate, proposals) || !Choose(pool_[next].key))) ++next;
      if (next == pool_.size()) {
        if (!AddRandom(&proposals)) break;
        continue;
      }
      proposals.push_back({pool_[next].candidate, "model"});
    }
    return proposals;
  }

  int64_t scored() const { return static_cast<int64_t>(pool_.size()); }

 private:
  // Whether a candidate with this key may be proposed; it is then chosen.
  bool Choose(uint64_t key) { return !request_.taken->ContainsKey(key) && chosen_.insert(key).second; }

  // The best by score are often variations of one candidate, whose times will be alike: what a batch can teach lies in
  // its differences.
  bool TooClose(const Candidate& candidate, const std::vector<Proposal>& proposals) const {
    return std::any_of(proposals.begin(), proposals.end(), [&](const Proposal& proposal) {
      if (proposal.candidate.sketch != candidate.sketch) return false;
      int different = 0;
      for (int knob = 0; knob < candidate.num_knobs; ++knob) {
        different += candidate.rows[knob] != proposal.candidate.rows[knob] ? 1 : 0;
      }
      return different < options_.least_difference;
    });
  }

  bool AddRandom(std::vector<Proposal>* proposals) {
    constexpr int kAttempts = 32;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      const Candidate candidate = space_.Random(rng_);
      if (!Choose(space_.KeyOf(candidate))) continue;
      proposals->push_back({candidate, "random"});
      return true;
    }
    return false;
  }

  std::vector<Candidate> Founders() {
    std::vector<MeasuredCandidate> measured;
    for (const MeasuredCandidate& entry : request_.measured) {
      if (entry.median_ns > 0) measured.push_back(entry);
    }
    std::stable_sort(measured.begin(), measured.end(),
                     [](const MeasuredCandidate& a, const MeasuredCandidate& b) { return a.median_ns < b.median_ns; });
    if (static_cast<int>(measured.size()) > options_.elites) measured.resize(static_cast<size_t>(options_.elites));

    std::vector<Candidate> founders = space_.Defaults();
    for (const MeasuredCandidate& elite : measured) {
      founders.push_back(elite.candidate);
      // The measured ones themselves are taken; their neighbourhood is what they are good for.
      for (int i = 0; i < 4; ++i) founders.push_back(space_.Mutate(elite.candidate, rng_));
    }
    while (static_cast<int>(founders.size()) < options_.population) founders.push_back(space_.Random(rng_));
    return founders;
  }

  // Parents are drawn from the best of the pool, the better ones more often.
  const Candidate& Parent(size_t parents) {
    const size_t a = rng_.Below(parents), b = rng_.Below(parents);
    return pool_[std::min(a, b)].candidate;
  }

  std::vector<Candidate> Children() {
    std::sort(pool_.begin(), pool_.end(), Better);
    const size_t parents = std::min(pool_.size(), static_cast<size_t>(options_.population) / 2);
    std::vector<Candidate> children;
    while (static_cast<int>(children.size()) < options_.population) {
      const Candidate& a = Parent(parents);
      const Candidate& b = Parent(parents);
      if (a.sketch == b.sketch && rng_.Uniform() < options_.crossover_share) {
        children.push_back(space_.Crossover(a, b, rng_));
        continue;
      }
      Candidate child = space_.Mutate(a, rng_);
      if (rng_.Uniform() < 0.3) child = space_.Mutate(child, rng_);
      children.push_back(child);
    }
    return children;
  }

  Status Climb() {
    for (int step = 0; step < options_.climb_steps; ++step) {
      std::sort(pool_.begin(), pool_.end(), Better);
      std::vector<Candidate> neighbours;
      for (size_t i = 0; i < pool_.size() && static_cast<int>(i) < options_.climbs; ++i) {
        const std::vector<Candidate> around = space_.Neighbours(pool_[i].candidate, 2);
        neighbours.insert(neighbours.end(), around.begin(), around.end());
      }
      TILTH_RETURN_IF_ERROR(Add(neighbours));
    }
    return absl::OkStatus();
  }

  // Scores those that are new, and puts them into the pool, one for each key.
  Status Add(const std::vector<Candidate>& candidates) {
    std::vector<Candidate> fresh;
    for (const Candidate& candidate : candidates) {
      if (seen_.insert(candidate).second) fresh.push_back(candidate);
    }
    if (fresh.empty()) return absl::OkStatus();
    std::vector<float> scores(fresh.size());
    std::vector<uint64_t> keys(fresh.size());
    TILTH_RETURN_IF_ERROR(request_.scorer->Score(fresh, scores, keys));
    for (size_t i = 0; i < fresh.size(); ++i) {
      if (pooled_.insert(keys[i]).second) pool_.push_back({fresh[i], keys[i], scores[i]});
    }
    return absl::OkStatus();
  }

  const EvolutionOptions& options_;
  const SearchRequest& request_;
  const KnobSpace& space_;
  Rng& rng_;
  CandidateSet seen_;
  absl::flat_hash_set<uint64_t> pooled_, chosen_;
  std::vector<Scored> pool_;
};

class EvolutionarySearch : public SearchPolicy {
 public:
  explicit EvolutionarySearch(const EvolutionOptions& options) : options_(options) {}

  StatusOr<std::vector<Proposal>> Propose(const SearchRequest& request, Rng& rng) override {
    Evolution evolution(options_, request, rng);
    TILTH_RETURN_IF_ERROR(evolution.Run(), "scoring candidates of ", request.space->name());
    scored_ += evolution.scored();
    return evolution.Pick();
  }

  int64_t candidates_scored() const override { return scored_; }

 private:
  EvolutionOptions options_;
  int64_t scored_ = 0;
};

}  // namespace

std::unique_ptr<SearchPolicy> MakeEvolutionarySearch(const EvolutionOptions& options) {
  return std::make_unique<EvolutionarySearch>(options);
}

}  // namespace tilth
