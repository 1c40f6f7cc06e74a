#include "tuner/climbing_search.h"

#include <algorithm>

#include "tuner/random_search.h"

namespace tilth {
namespace {

int Difference(const Candidate& a, const Candidate& b) {
  if (a.sketch != b.sketch) return Candidate::kMaxKnobs;
  int different = 0;
  for (int knob = 0; knob < a.num_knobs; ++knob) different += a.rows[knob] != b.rows[knob] ? 1 : 0;
  return different;
}

class ClimbingSearch : public SearchPolicy {
 public:
  explicit ClimbingSearch(const ClimbingOptions& options) : options_(options) {}

  StatusOr<std::vector<Proposal>> Propose(const SearchRequest& request, Rng& rng) override {
    const std::vector<Candidate> elites = Elites(request);
    std::vector<Proposal> proposals;
    absl::flat_hash_set<uint64_t> chosen;
    size_t barren = 0;  // elites in a row without a neighbour that is new
    while (static_cast<int>(proposals.size()) < request.count && barren < elites.size()) {
      const Candidate& elite = elites[turn_++ % elites.size()];
      TILTH_ASSIGN_OR_RETURN(const bool added, AddBestNeighbour(request, elite, &chosen, &proposals));
      barren = added ? 0 : barren + 1;
    }
    if (static_cast<int>(proposals.size()) == request.count) return proposals;
    return FillAtRandom(request, std::move(proposals), rng);
  }

  int64_t candidates_scored() const override { return scored_; }

 private:
  // The best measured candidates that are unlike each other; the defaults before anything succeeded.
  std::vector<Candidate> Elites(const SearchRequest& request) const {
    std::vector<MeasuredCandidate> order;
    for (const MeasuredCandidate& entry : request.measured)
      if (entry.median_ns > 0) order.push_back(entry);
    std::stable_sort(order.begin(), order.end(),
                     [](const auto& a, const auto& b) { return a.median_ns < b.median_ns; });
    std::vector<Candidate> elites;
    for (const MeasuredCandidate& entry : order) {
      if (static_cast<int>(elites.size()) == options_.elites) break;
      const bool alike = std::any_of(elites.begin(), elites.end(), [&](const Candidate& elite) {
        return Difference(elite, entry.candidate) < options_.least_difference;
      });
      if (!alike) elites.push_back(entry.candidate);
    }
    return elites.empty() ? request.space->Defaults() : elites;
  }

  StatusOr<bool> AddBestNeighbour(const SearchRequest& request, const Candidate& elite,
                                  absl::flat_hash_set<uint64_t>* chosen, std::vector<Proposal>* proposals) {
    constexpr int kAnyRow = 1 << 16;
    const std::vector<Candidate> neighbours = request.space->Neighbours(elite, kAnyRow);
    if (neighbours.empty()) return false;
    std::vector<float> scores(neighbours.size());
    std::vector<uint64_t> keys(neighbours.size());
    TILTH_RETURN_IF_ERROR(request.scorer->Score(neighbours, scores, keys), "scoring neighbours of ",
                          request.space->name());
    scored_ += static_cast<int64_t>(neighbours.size());
    int best = -1;
    for (size_t i = 0; i < neighbours.size(); ++i) {
      if (request.taken->ContainsKey(keys[i]) || chosen->contains(keys[i])) continue;
      if (best < 0 || scores[i] > scores[static_cast<size_t>(best)]) best = static_cast<int>(i);
    }
    if (best < 0) return false;
    chosen->insert(keys[static_cast<size_t>(best)]);
    proposals->push_back({neighbours[static_cast<size_t>(best)], "climb"});
    return true;
  }

  // Every neighbour is known: start elsewhere.
  StatusOr<std::vector<Proposal>> FillAtRandom(const SearchRequest& request, std::vector<Proposal> proposals,
                                               Rng& rng) {
    SearchRequest rest = request;
    TakenCandidates taken = *request.taken;
    for (const Proposal& proposal : proposals) taken.Insert(*request.space, proposal.candidate);
    rest.taken = &taken;
    rest.count = request.count - static_cast<int>(proposals.size());
    TILTH_ASSIGN_OR_RETURN(const std::vector<Proposal> random, restart_->Propose(rest, rng));
    proposals.insert(proposals.end(), random.begin(), random.end());
    return proposals;
  }

  ClimbingOptions options_;
  std::unique_ptr<SearchPolicy> restart_ = MakeRandomSearch();
  size_t turn_ = 0;
  int64_t scored_ = 0;
};

}  // namespace

std::unique_ptr<SearchPolicy> MakeClimbingSearch(const ClimbingOptions& options) {
  return std::make_unique<ClimbingSearch>(options);
}

}  // namespace tilth
