#include "tuner/random_search.h"

namespace tilth {
namespace {

constexpr int kAttempts = 64;  // for each proposal, before listing what is left
constexpr uint64_t kMostListed = 1 << 18;

class RandomSearch : public SearchPolicy {
 public:
  StatusOr<std::vector<Proposal>> Propose(const SearchRequest& request, Rng& rng) override {
    std::vector<Proposal> proposals;
    absl::flat_hash_set<uint64_t> chosen;
    const auto add = [&](const Candidate& candidate) {
      const uint64_t key = request.space->KeyOf(candidate);
      if (request.taken->ContainsKey(key) || !chosen.insert(key).second) return false;
      proposals.push_back({candidate, "random"});
      return true;
    };
    const auto count = static_cast<size_t>(request.count);
    for (int attempt = 0; attempt < kAttempts * request.count && proposals.size() < count; ++attempt)
      add(request.space->Random(rng));
    if (proposals.size() == count) return proposals;
    std::vector<Candidate> rest = request.space->Enumerate(kMostListed);
    while (proposals.size() < count && !rest.empty()) {
      std::swap(rest[rng.Below(rest.size())], rest.back());
      add(rest.back());
      rest.pop_back();
    }
    return proposals;
  }

  int64_t candidates_scored() const override { return 0; }
};

}  // namespace

std::unique_ptr<SearchPolicy> MakeRandomSearch() { return std::make_unique<RandomSearch>(); }

}  // namespace tilth
