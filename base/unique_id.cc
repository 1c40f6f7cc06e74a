#include "base/unique_id.h"

#include <random>

#include "absl/strings/str_format.h"

namespace tilth {

std::string UniqueId() {
  std::random_device device;
  return absl::StrFormat("%08x%08x%08x%08x", device(), device(), device(), device());
}

}  // namespace tilth
