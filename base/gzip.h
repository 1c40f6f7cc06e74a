// Files that may be compressed.
#pragma once

#include <cstddef>
#include <string>

#include "base/status.h"

namespace tilth {

// The contents of a file, uncompressed if they begin as gzip does. INVALID_ARGUMENT: damaged, or more than
// `max_bytes` when uncompressed; other errors are ReadFile's.
StatusOr<std::string> ReadMaybeGzip(const std::string& path, size_t max_bytes = size_t{1} << 30);

}  // namespace tilth
