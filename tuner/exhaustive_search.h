// Proposes every candidate of a space that can be listed, the best score first.
#pragma once

#include <memory>

#include "tuner/search_policy.h"

namespace tilth {

// RESOURCE_EXHAUSTED for a space that is too large to list.
std::unique_ptr<SearchPolicy> MakeExhaustiveSearch();

}  // namespace tilth
