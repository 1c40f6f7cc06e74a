// Whether a JSON text is nested too deeply to be copied or written by recursion, as nlohmann::json does.
#pragma once

#include <string_view>

#include "base/status.h"

namespace tilth {

// INVALID_ARGUMENT if lists and objects of `json` are nested more than 100 deep. Call it before parsing text from
// outside; the text need not be valid.
Status CheckJsonNesting(std::string_view json);

}  // namespace tilth
