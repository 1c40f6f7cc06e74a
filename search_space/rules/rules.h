// The rules: each looks at a workload and adds the sketches it knows how to schedule.
#pragma once

#include <memory>
#include <vector>

#include "ir/target.h"
#include "ir/workload.h"
#include "search_space/space.h"

namespace tilth {

using SketchList = std::vector<std::unique_ptr<Sketch>>;

void AddTiledSketches(const Workload& workload, const Target& target, SketchList* sketches);
void AddWinogradSketches(const Workload& workload, const Target& target, SketchList* sketches);
void AddRowwiseSketches(const Workload& workload, const Target& target, SketchList* sketches);
void AddElementwiseSketches(const Workload& workload, const Target& target, SketchList* sketches);

// Multiply-adds in one copy of an unrolled body. Longer ones run no faster and take longer to build.
inline constexpr int64_t kMaxUnrolledBody = 96;

// Axes of a stage that have room in a nest: each has at most one loop of its own, a register tile and blocks 9 more.
inline constexpr int kMaxAxes = LoopNest::kMaxLoops - 10;

// A sketch walks over its loops, add(axis, extent, step, kind) for each, in two roles: once per structure for the
// shape, then for the numbers of every candidate.
inline auto StructureInto(NestShape* shape) {
  return
      [shape](int axis, int64_t /*extent*/, int64_t /*step*/, LoopKind kind) { shape->loops.push_back({axis, kind}); };
}
inline auto NumbersInto(LoopNest* nest) {
  return [nest, loop = size_t{0}](int /*axis*/, int64_t extent, int64_t step, LoopKind /*kind*/) mutable {
    nest->extents[loop] = extent;
    nest->steps[loop++] = step;
  };
}

// f32 lanes of a register on `target`, halved while one of half the width still holds `extent` elements.
int LanesFor(const Target& target, int64_t extent);

// 1, 2, 4, … and `extent` itself, at most `limit` options, each a one-element list.
std::vector<std::vector<int64_t>> PowersUpTo(int64_t extent, int limit = 16);

// Whether a register tile needs no stack: its accumulators, `right` vectors that they share, and what is in flight of
// the left operand.
bool FitsRegisters(const Target& target, int64_t accumulators, int64_t right, bool left_along_vector);

}  // namespace tilth
