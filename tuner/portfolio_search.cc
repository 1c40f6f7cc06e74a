#include "tuner/portfolio_search.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/container/flat_hash_map.h"

namespace tilth {
namespace {

constexpr double kMemory = 0.95;      // of a policy's record, for each later proposal of its own
constexpr double kFirstCredit = 0.1;  // improvement, as a logarithm, that everybody is assumed to have brought once
constexpr double kLeastShare = 0.1;

struct Arm {
  std::unique_ptr<SearchPolicy> policy;
  double credit = kFirstCredit, proposals = 1;  // both fade

  double Rate() const { return credit / proposals; }
};

class PortfolioSearch : public SearchPolicy {
 public:
  explicit PortfolioSearch(std::vector<std::unique_ptr<SearchPolicy>> policies) {
    for (std::unique_ptr<SearchPolicy>& policy : policies) arms_.push_back({std::move(policy)});
  }

  StatusOr<std::vector<Proposal>> Propose(const SearchRequest& request, Rng& rng) override {
    Learn(request);
    TakenCandidates taken = *request.taken;
    std::vector<Proposal> proposals;
    while (static_cast<int>(proposals.size()) < request.count) {
      const size_t arm = Draw(rng);
      SearchRequest single = request;
      single.taken = &taken;
      single.count = 1;
      TILTH_ASSIGN_OR_RETURN(std::vector<Proposal> proposed, arms_[arm].policy->Propose(single, rng));
      if (proposed.empty()) break;
      taken.Insert(*request.space, proposed[0].candidate);
      waiting_[proposed[0].candidate] = arm;
      proposals.push_back(std::move(proposed[0]));
    }
    return proposals;
  }

  int64_t candidates_scored() const override {
    int64_t scored = 0;
    for (const Arm& arm : arms_) scored += arm.policy->candidates_scored();
    return scored;
  }

 private:
  // Credits every proposal whose time is known by now, in the order of measuring.
  void Learn(const SearchRequest& request) {
    double best = 0;
    for (const MeasuredCandidate& entry : request.measured) {
      const bool improves = entry.median_ns > 0 && (best == 0 || entry.median_ns < best);
      if (const auto found = waiting_.find(entry.candidate); found != waiting_.end()) {
        Arm& arm = arms_[found->second];
        arm.credit = kMemory * arm.credit + (improves && best > 0 ? std::log(best / entry.median_ns) : 0);
        arm.proposals = kMemory * arm.proposals + 1;
        waiting_.erase(found);
      }
      if (improves) best = entry.median_ns;
    }
  }

  size_t Draw(Rng& rng) const {
    double total = 0;
    for (const Arm& arm : arms_) total += arm.Rate();
    double at = rng.Uniform();
    for (size_t i = 0; i + 1 < arms_.size(); ++i) {
      const auto count = static_cast<double>(arms_.size());
      at -= kLeastShare / count + (1 - kLeastShare) * (total > 0 ? arms_[i].Rate() / total : 1 / count);
      if (at < 0) return i;
    }
    return arms_.size() - 1;
  }

  std::vector<Arm> arms_;
  absl::flat_hash_map<Candidate, size_t, CandidateHash> waiting_;  // proposed, not measured yet: by whom
};

}  // namespace

std::unique_ptr<SearchPolicy> MakePortfolioSearch(std::vector<std::unique_ptr<SearchPolicy>> policies) {
  return std::make_unique<PortfolioSearch>(std::move(policies));
}

}  // namespace tilth
