#include "search_space/loop_nest.h"

#include <algorithm>
#include <cstdlib>

namespace tilth {

int64_t LoopNest::TileExtent(int axis, int depth) const {
  int64_t covered = 1;
  for (int i = depth; i < num_loops(); ++i)
    if (shape->loops[i].axis == axis) covered = std::max(covered, extents[i] * steps[i]);
  return std::min(covered, shape->axis_extents[axis]);
}

int64_t LoopNest::FootprintElements(const NestAccess& access, int depth) const {
  // Strided or broadcast axes touch one element a step; overlapping windows (equal coefficients) cover their union.
  int64_t elements = 1, span = 1;
  for (size_t axis = 0; axis < shape->axis_extents.size(); ++axis) {
    const int64_t coefficient = std::abs(access.coefficients[axis]);
    if (coefficient == 0) continue;
    const int64_t extent = TileExtent(static_cast<int>(axis), depth);
    elements *= extent;
    span += coefficient * (extent - 1);
  }
  return std::min({elements, span, std::max<int64_t>(access.num_elements, 1)});
}

}  // namespace tilth
