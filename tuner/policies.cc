#include "tuner/policies.h"

#include <utility>

#include "absl/strings/str_join.h"
#include "tuner/climbing_search.h"
#include "tuner/evolutionary_search.h"
#include "tuner/exhaustive_search.h"
#include "tuner/portfolio_search.h"
#include "tuner/random_search.h"

namespace tilth {
namespace {

StatusOr<std::unique_ptr<SearchPolicy>> Make(std::string_view name, const EvolutionOptions& evolution) {
  if (name == "evolutionary") return MakeEvolutionarySearch(evolution);
  if (name == "climb") return MakeClimbingSearch();
  if (name == "random") return MakeRandomSearch();
  if (name == "exhaustive") return MakeExhaustiveSearch();
  if (name == "portfolio") {
    std::vector<std::unique_ptr<SearchPolicy>> policies;
    policies.push_back(MakeEvolutionarySearch(evolution));
    policies.push_back(MakeClimbingSearch());
    return MakePortfolioSearch(std::move(policies));
  }
  return absl::InvalidArgumentError(
      StrCat("there is no policy '", name, "'; the policies are: ", absl::StrJoin(PolicyNames(), ", ")));
}

}  // namespace

const std::vector<std::string>& PolicyNames() {
  static const auto* const kNames =
      new std::vector<std::string>{"evolutionary", "climb", "random", "exhaustive", "portfolio"};
  return *kNames;
}

StatusOr<std::unique_ptr<SearchPolicy>> MakeKernelPolicy(std::string_view name) { return Make(name, {}); }

StatusOr<std::unique_ptr<SearchPolicy>> MakeParameterPolicy(std::string_view name) {
  return Make(name, {.least_difference = 1, .random_share = 0, .enumerate_below = 1 << 15});
}

}  // namespace tilth
