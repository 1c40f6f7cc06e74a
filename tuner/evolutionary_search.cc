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

// What sorting moves around in the place of candidates.
struct Ranked {
  float score = 0;
  uint32_t place = 0;  // in the pool
};

class Evolution {
 public:
  Evolution(const EvolutionOptions& options, const SearchRequest& request, Rng& rng)
      : options_(options), request_(request), space_(*request.space), rng_(rng) {
    const size_t expected = static_cast<size_t>(options.population) * static_cast<size_t>(options.generations + 1);
    seen_.reserve(expected);
    pooled_.reserve(expected);
    pool_.reserve(expected);
  }

  Status Run() {
    if (const std::vector<Candidate> all = space_.Enumerate(options_.enumerate_below); !all.empty()) return Add(all);
    TILTH_RETURN_IF_ERROR(Add(Founders()));
    for (int generation = 0; generation < options_.generations; ++generation) {
      TILTH_RETURN_IF_ERROR(Add(Children()));
    }
    return Climb();
  }

  std::vector<Proposal> Pick() {
    std::vector<Proposal> proposals;
    size_t next = 0;
    while (static_cast<int>(proposals.size()) < request_.count) {
      if (rng_.Uniform() < options_.random_share && AddRandom(&proposals)) continue;
      while (next < pool_.size() && (TooClose(Best(next).candidate, proposals) || !Choose(Best(next).key))) ++next;
      if (next == pool_.size()) {
        if (!AddRandom(&proposals)) break;
        continue;
      }
      proposals.push_back({Best(next).candidate, "model"});
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

  // Number `rank` of the pool, by score. Only the front of the pool is ever sorted.
  const Scored& Best(size_t rank) {
    constexpr size_t kStep = 256;
    while (rank >= num_sorted_) {
      for (size_t i = order_.size(); i < pool_.size(); ++i)
        order_.push_back({pool_[i].score, static_cast<uint32_t>(i)});
      const auto begin = order_.begin() + static_cast<std::ptrdiff_t>(num_sorted_);
      num_sorted_ = std::min(order_.size(), std::max(rank + 1, num_sorted_ + kStep));
      const auto end = order_.begin() + static_cast<std::ptrdiff_t>(num_sorted_);
      // Ties are broken by the candidate itself, so that the order does not depend on the way here.
      const auto better = [this](const Ranked& a, const Ranked& b) {
        return a.score != b.score ? a.score > b.score : pool_[a.place].candidate < pool_[b.place].candidate;
      };
      if (end != order_.end()) std::nth_element(begin, end, order_.end(), better);
      std::sort(begin, end, better);
    }
    return pool_[order_[rank].place];
  }

  // Parents are drawn from the best of the pool, the better ones more often.
  const Candidate& Parent(size_t parents) {
    const size_t a = rng_.Below(parents), b = rng_.Below(parents);
    return Best(std::min(a, b)).candidate;
  }

  std::vector<Candidate> Children() {
    const size_t parents = std::min(pool_.size(), static_cast<size_t>(options_.population) / 2 + 1);
    Best(parents - 1);
    std::vector<Candidate> children;
    children.reserve(static_cast<size_t>(options_.population));
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
      std::vector<Candidate> neighbours;
      for (size_t i = 0; i < pool_.size() && static_cast<int>(i) < options_.climbs; ++i) {
        const std::vector<Candidate> around = space_.Neighbours(Best(i).candidate, 2);
        neighbours.insert(neighbours.end(), around.begin(), around.end());
      }
      TILTH_RETURN_IF_ERROR(Add(neighbours));
    }
    return absl::OkStatus();
  }

  // Scores those that are new, and puts them into the pool, one for each key.
  Status Add(const std::vector<Candidate>& candidates) {
    std::vector<Candidate> fresh;
    fresh.reserve(candidates.size());
    // By hash alone: two candidates out of millions may be taken for one once in a million searches.
    for (const Candidate& candidate : candidates) {
      if (seen_.insert(HashOf(candidate)).second) fresh.push_back(candidate);
    }
    if (fresh.empty()) return absl::OkStatus();
    std::vector<float> scores(fresh.size());
    std::vector<uint64_t> keys(fresh.size());
    TILTH_RETURN_IF_ERROR(request_.scorer->Score(fresh, scores, keys));
    for (size_t i = 0; i < fresh.size(); ++i) {
      if (pooled_.insert(keys[i]).second) pool_.push_back({fresh[i], keys[i], scores[i]});
    }
    num_sorted_ = 0;
    return absl::OkStatus();
  }

  const EvolutionOptions& options_;
  const SearchRequest& request_;
  const KnobSpace& space_;
  Rng& rng_;
  absl::flat_hash_set<uint64_t> seen_, pooled_, chosen_;
  std::vector<Scored> pool_;
  std::vector<Ranked> order_;  // of the pool, as far as it has been looked at
  size_t num_sorted_ = 0;      // the first of order_, which are the best
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
