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

// f32 lanes of a register on `target`, halved while one of half the width still holds `extent` elements.
int LanesFor(const Target& target, int64_t extent);

// 1, 2, 4, … and `extent` itself, at most `limit` options, each a one-element list.
std::vector<std::vector<int64_t>> PowersUpTo(int64_t extent, int limit = 16);

// Whether a register tile needs no stack: its accumulators, `right` vectors that they share, and what is in flight of
// the left operand.
bool FitsRegisters(const Target& target, int64_t accumulators, int64_t right, bool left_along_vector);

}  // namespace tilth
