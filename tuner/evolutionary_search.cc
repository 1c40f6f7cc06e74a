// One Evolution object per proposal: a pool of every candidate seen with its score, and the steps that grow it.
#include "tuner/evolutionary_search.h"

#include <algorithm>
#include <span>
#include <utility>

#include "cost_model/features.h"

namespace tilth {
namespace {

struct Scored {
  Candidate candidate;
  uint64_t schedule = 0;  // ScheduleKey
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
    if (space_.Size() <= options_.enumerate_below) return ScoreAll();
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
      while (next < pool_.size() && (TooClose(pool_[next].candidate, proposals) || !Choose(pool_[next].schedule)))
        ++next;
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
  // Whether a candidate with this schedule may be proposed; it is then chosen.
  bool Choose(uint64_t schedule) {
    return !request_.taken->ContainsSchedule(schedule) && chosen_.insert(schedule).second;
  }

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
      if (!Choose(ScheduleKey(space_.Resolve(candidate)))) continue;
      proposals->push_back({candidate, "random"});
      return true;
    }
    return false;
  }

  Status ScoreAll() {
    std::vector<Candidate> all;
    for (uint64_t i = 0; i < space_.Size(); ++i) all.push_back(space_.At(i));
    return Add(all);
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

  std::vector<Candidate> Neighbours(const Candidate& candidate) const {
    const auto& knobs = space_.sketches()[candidate.sketch]->knobs();
    std::vector<Candidate> neighbours;
    for (size_t knob = 0; knob < knobs.size(); ++knob) {
      const int rows = static_cast<int>(knobs[knob].options.size());
      for (int step : {-2, -1, 1, 2}) {
        const int row = candidate.rows[knob] + step;
        if (row < 0 || row >= rows) continue;
        Candidate neighbour = candidate;
        neighbour.rows[knob] = static_cast<uint16_t>(row);
        neighbours.push_back(neighbour);
      }
    }
    return neighbours;
  }

  Status Climb() {
    for (int step = 0; step < options_.climb_steps; ++step) {
      std::sort(pool_.begin(), pool_.end(), Better);
      std::vector<Candidate> neighbours;
      for (size_t i = 0; i < pool_.size() && static_cast<int>(i) < options_.climbs; ++i) {
        const std::vector<Candidate> around = Neighbours(pool_[i].candidate);
        neighbours.insert(neighbours.end(), around.begin(), around.end());
      }
      TILTH_RETURN_IF_ERROR(Add(neighbours));
    }
    return absl::OkStatus();
  }

  // Scores those that are new, once per schedule, and puts them into the pool.
  Status Add(const std::vector<Candidate>& candidates) {
    const size_t known = pool_.size();
    FeatureMatrix features(NumFeatures());
    std::vector<float> row(static_cast<size_t>(NumFeatures()));
    for (const Candidate& candidate : candidates) {
      if (!seen_.insert(candidate).second) continue;
      const LoopNest nest = space_.Resolve(candidate);
      const uint64_t schedule = ScheduleKey(nest);
      if (!scored_schedules_.insert(schedule).second) continue;
      pool_.push_back({candidate, schedule, 0});
      ExtractFeatures(nest, space_.target(), row);
      features.Append(row);
    }
    if (pool_.size() == known) return absl::OkStatus();
    TILTH_ASSIGN_OR_RETURN(const std::vector<float> scores, request_.model->Predict(features));
    for (size_t i = 0; i < scores.size(); ++i) pool_[known + i].score = scores[i];
    return absl::OkStatus();
  }

  const EvolutionOptions& options_;
  const SearchRequest& request_;
  const SearchSpace& space_;
  Rng& rng_;
  CandidateSet seen_;
  absl::flat_hash_set<uint64_t> scored_schedules_, chosen_;
  std::vector<Scored> pool_;
};

class EvolutionarySearch : public SearchPolicy {
 public:
  explicit EvolutionarySearch(const EvolutionOptions& options) : options_(options) {}

  StatusOr<std::vector<Proposal>> Propose(const SearchRequest& request, Rng& rng) override {
    Evolution evolution(options_, request, rng);
    TILTH_RETURN_IF_ERROR(evolution.Run(), "scoring candidates of ", request.space->workload().name);
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
