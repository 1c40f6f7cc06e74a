// Linking one object that needs nothing from elsewhere, as every candidate is: a tenth of the time that lld takes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "ir/target.h"

namespace tilth {

// A shared object that exports every global symbol of `object`; nothing if the object holds something that this does
// not know how to link (an undefined symbol, another relocation than our code generator makes), or is none.
std::optional<std::string> LinkSingleObject(std::string_view object, const Target& target);

}  // namespace tilth
