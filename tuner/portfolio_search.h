// Several policies that share a budget: who proposed what turned out well proposes more.
#pragma once

#include <memory>
#include <vector>

#include "tuner/search_policy.h"

namespace tilth {

// A policy's share follows the improvements of the best time that its proposals brought, recent ones counting more;
// each keeps a small share. It learns how proposals turned out from the next request's measurements. `policies` must
// not be empty.
std::unique_ptr<SearchPolicy> MakePortfolioSearch(std::vector<std::unique_ptr<SearchPolicy>> policies);

}  // namespace tilth
