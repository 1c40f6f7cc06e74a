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

bool FitsRegisters(const Target& target, int64_t accumulators, int64_t right, bool left_along_vector) {
  // On x86 multiply-adds take the left operand from memory. Elsewhere loads come in pairs, of two steps of the
  // reduction, and ahead of their use; and windows of neighbouring accumulators share what they have loaded, a register
  // for each.
  int64_t left = 1;
  if (target.arch != Arch::kX86_64) left = left_along_vector ? accumulators : 5;
  return accumulators + right + left <= target.vector_registers;
}

}  // namespace tilth
