#include "tuner/exhaustive_search.h"

#include <algorithm>
#include <numeric>

namespace tilth {
namespace {

constexpr uint64_t kMostListed = 1 << 18;

class ExhaustiveSearch : public SearchPolicy {
 public:
  StatusOr<std::vector<Proposal>> Propose(const SearchRequest& request, Rng& /*rng*/) override {
    const std::vector<Candidate> all = request.space->Enumerate(kMostListed);
    if (all.empty()) {
      return absl::ResourceExhaustedError(StrCat("the space of ", request.space->name(),
                                                 " is too large to measure exhaustively: choose another policy"));
    }
    std::vector<float> scores(all.size());
    std::vector<uint64_t> keys(all.size());
    TILTH_RETURN_IF_ERROR(request.scorer->Score(all, scores, keys), "scoring candidates of ", request.space->name());
    scored_ += static_cast<int64_t>(all.size());
    std::vector<size_t> order(all.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return scores[a] > scores[b]; });

    std::vector<Proposal> proposals;
    absl::flat_hash_set<uint64_t> chosen;
    for (size_t i : order) {
      if (static_cast<int>(proposals.size()) == request.count) break;
      if (request.taken->ContainsKey(keys[i]) || !chosen.insert(keys[i]).second) continue;
      proposals.push_back({all[i], "exhaustive"});
    }
    return proposals;
  }

  int64_t candidates_scored() const override { return scored_; }

 private:
  int64_t scored_ = 0;
};

}  // namespace

std::unique_ptr<SearchPolicy> MakeExhaustiveSearch() { return std::make_unique<ExhaustiveSearch>(); }

}  // namespace tilth
