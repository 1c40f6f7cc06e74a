// Proposes candidates at random: what every other policy has to beat.
#pragma once

#include <memory>

#include "tuner/search_policy.h"

namespace tilth {

std::unique_ptr<SearchPolicy> MakeRandomSearch();

}  // namespace tilth
