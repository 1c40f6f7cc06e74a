// A loop nest of a matrix product made by hand, so that tests of the cost model know every number in it.
#pragma once

#include <memory>

#include "base/math.h"
#include "ir/target.h"
#include "search_space/loop_nest.h"

namespace tilth {

struct MatmulTiling {
  int64_t m = 512, n = 512, k = 512;
  int64_t task_rows = 512, task_columns = 512;  // elements of one task
  int64_t rows = 1, vectors = 1;                // register tile; rows 1 and vectors 1: no reuse in registers
  int lanes = 16;
};

inline Target TestTarget() {
  Target target;
  target.name = "test";
  target.vector_bytes = 64;
  target.vector_registers = 32;
  target.l1_bytes = 32 << 10;
  target.l2_bytes = 1 << 20;
  target.l3_bytes = 32 << 20;
  target.clock_ghz = 2.0;
  return target;
}

// A nest with the shape that it refers to.
struct OwnedNest {
  std::unique_ptr<NestShape> shape = std::make_unique<NestShape>();
  LoopNest nest = LoopNest(shape.get());
};

// Axes 0 = m, 1 = n, 2 = k; y[m,n] = sum(k) a[m,k] * b[k,n].
inline OwnedNest MatmulNest(const MatmulTiling& t) {
  OwnedNest result;
  NestShape& shape = *result.shape;
  LoopNest& nest = result.nest;
  shape.sketch = "contraction";
  shape.axis_extents = {t.m, t.n, t.k};
  auto add = [&](int axis, int64_t extent, int64_t step, LoopKind kind) {
    nest.extents[shape.loops.size()] = extent;
    nest.steps[shape.loops.size()] = step;
    shape.loops.push_back({axis, kind});
  };
  const int64_t n_step = t.vectors * t.lanes;
  add(0, CeilDiv(t.m, t.task_rows), t.task_rows, LoopKind::kParallel);
  add(1, CeilDiv(t.n, t.task_columns), t.task_columns, LoopKind::kParallel);
  add(0, CeilDiv(t.task_rows, t.rows), t.rows, LoopKind::kSerial);
  add(1, CeilDiv(t.task_columns, n_step), n_step, LoopKind::kSerial);
  add(2, t.k, 1, LoopKind::kSerial);
  add(0, t.rows, 1, LoopKind::kUnrolled);
  add(1, t.vectors, t.lanes, LoopKind::kUnrolled);
  add(1, t.lanes, 1, LoopKind::kVector);
  shape.num_task_loops = 2;
  shape.accesses = {
      {0, false, 4, t.m * t.k, {t.k, 0, 1}, false},
      {1, false, 4, t.k * t.n, {0, 1, t.n}, false},
      {2, true, 4, t.m * t.n, {t.n, 1, 0}, false},
  };
  nest.flops = 2.0 * static_cast<double>(t.m * t.n * t.k);
  nest.vector_lanes = t.lanes;
  nest.accumulator_registers = static_cast<int>(t.rows * t.vectors);
  nest.body_instructions = t.rows * t.vectors + t.rows + t.vectors;
  TiledSchedule schedule;
  schedule.lanes = t.lanes;
  schedule.rows = t.rows;
  schedule.vectors = t.vectors;
  schedule.k_block = t.k;
  nest.schedule = schedule;
  return result;
}

}  // namespace tilth
