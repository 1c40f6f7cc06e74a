#include "search_space/rules/rules.h"

namespace tilth {

int LanesFor(const Target& target, int64_t extent) {
  int lanes = target.vector_bytes / 4;
  while (lanes > 1 && lanes / 2 >= extent) lanes /= 2;
  return lanes;
}

std::vector<std::vector<int64_t>> PowersUpTo(int64_t extent, int limit) {
  std::vector<std::vector<int64_t>> options;
  for (int64_t value = 1; value < extent && static_cast<int>(options.size()) + 1 < limit; value *= 2)
    options.push_back({value});
  options.push_back({extent});
  return options;
}

}  // namespace tilth
