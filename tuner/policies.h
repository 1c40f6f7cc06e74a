// Search policies by name, as command lines give them.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tuner/search_policy.h"

namespace tilth {

// "evolutionary", "climb", "random", "exhaustive", "portfolio".
const std::vector<std::string>& PolicyNames();

// For kernels of models, whose candidates are scored by features. INVALID_ARGUMENT lists the names.
StatusOr<std::unique_ptr<SearchPolicy>> MakeKernelPolicy(std::string_view name);

// For parameter spaces: there the evolution scores every candidate where they can be listed, and leaves exploring to
// the scorer (parameter_scorer.h).
StatusOr<std::unique_ptr<SearchPolicy>> MakeParameterPolicy(std::string_view name);

}  // namespace tilth
