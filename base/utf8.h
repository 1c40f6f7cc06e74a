// Text of unknown origin (what a candidate printed, a file's name) for places that take UTF-8 only: protobuf refuses a
// whole message for one bad byte.
#pragma once

#include <string>
#include <string_view>

namespace tilth {

// `text` with U+FFFD in the place of each byte that is not part of a valid UTF-8 sequence.
std::string ValidUtf8(std::string_view text);

}  // namespace tilth
