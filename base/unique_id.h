// Identifiers that nobody else has chosen.
#pragma once

#include <string>

namespace tilth {

// 128 bits of the system's randomness as 32 hexadecimal characters.
std::string UniqueId();

}  // namespace tilth
