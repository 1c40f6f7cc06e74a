// Copies of operands: the padded left one, the packed right one, and the left panel of a task.
#include <algorithm>

#include "compiler/lower/elementwise.h"
#include "compiler/lower/tiled_lowering.h"

namespace tilth {

void TiledLowering::AddPadPhase() {
  const FlatStage& copy = *form_.pad_copy;
  builder_.Place(copy.output, BufferScope::kWorkspace, NumElements(form_.tensors[copy.output].shape));
  ElementwiseSchedule schedule;
  const std::optional<Affine> out = AsAffine(copy.output_index, copy.num_axes());
  for (int a = 0; a < copy.num_spatial; ++a)
    if (out && out->coefficients[a] == 1) schedule.vector_axis = a;
  schedule.lanes = s_.lanes;
  schedule.vectors = 4;
  schedule.points_per_task = 64;
  builder_.program().phases.push_back(ElementwisePhase(builder_, copy, schedule, "pad"));
}

// packed[outer][vector tile][k][lane of the tile], zero in lanes that the vector axis does not have.
void TiledLowering::AddPackPhase() {
  int64_t outer = 1;
  std::vector<int64_t> task_extents;
  for (int axis : form_.right_outer_axes) {
    outer *= form_.Extent(axis);
    task_extents.push_back(form_.Extent(axis));
  }
  task_extents.push_back(vectors_.tiles);
  const int64_t k_total = form_.ReductionLength();
  packed_ = builder_.NewBuffer("packed", form_.IsConstantRight() ? BufferScope::kPacked : BufferScope::kWorkspace,
                               outer * vectors_.tiles * k_total * vector_step_);
  LoopPhase phase;
  phase.name = "pack";
  phase.prepare = form_.IsConstantRight();
  const Expr task = builder_.NewVariable("task");
  phase.task_var = task->id;
  phase.num_tasks = outer * vectors_.tiles;
  const std::vector<Expr> digits = Digits(task, task_extents);
  std::vector<Expr> axes(form_.reduce.num_axes(), expr::Int(0));
  for (size_t i = 0; i < form_.right_outer_axes.size(); ++i) axes[form_.right_outer_axes[i]] = digits[i];
  std::vector<Expr> k;
  for (int axis : k_order_) {
    k.push_back(builder_.NewVariable(StrCat("k", axis)));
    axes[axis] = k.back();
  }
  const Expr to =
      expr::Mul(expr::Add(expr::Mul(task, expr::Int(k_total)), Linear(k_order_, axes)), expr::Int(vector_step_));
  StmtList body = PackVectors(axes, digits.back(), to);
  for (size_t i = k_order_.size(); i-- > 0;) {
    StmtList loop;
    loop.push_back(For(k[i]->id, LoopKind::kSerial, expr::Int(form_.Extent(k_order_[i])), std::move(body)));
    body = std::move(loop);
  }
  phase.body = std::move(body);
  builder_.program().phases.push_back(std::move(phase));
}

// One k of one vector tile. A loop over its registers: unrolled, gathering the lanes of each costs a tenth of a build.
StmtList TiledLowering::PackVectors(const std::vector<Expr>& axes, const Expr& tile, const Expr& to) {
  const Expr v = builder_.NewVariable("v"), lane = builder_.NewVariable("lane");
  const Expr offset = expr::Mul(v, expr::Int(s_.lanes));
  const Expr at = expr::Add(to, expr::Add(offset, lane));
  auto vector = [&](int64_t active, const Expr& value) {
    StmtList store;
    store.push_back(Store(packed_, at, value));
    return For(lane->id, LoopKind::kVector, expr::Int(active), std::move(store), s_.lanes);
  };
  StmtList body, loop;
  if (vectors_.extent < s_.lanes) body.push_back(vector(s_.lanes, expr::Float(0)));
  std::vector<Expr> from = axes;
  const Expr first = expr::Min(offset, expr::Int(VectorOffset(registers_ - 1)));
  from[form_.vector_axis] = expr::Add(vectors_.Start(tile), expr::Add(first, lane));
  body.push_back(vector(std::min<int64_t>(s_.lanes, vectors_.extent), builder_.Bind(form_.right, from)));
  loop.push_back(For(v->id, LoopKind::kSerial, expr::Int(registers_), std::move(body)));
  return loop;
}

// panel[row tile][column tile][k of this block][point of the tile]
StmtList TiledLowering::PackPanel() {
  std::vector<Expr> k;
  for (int axis : k_order_) {
    k.push_back(builder_.NewVariable(StrCat("k", axis)));
    axes_[axis] = k.back();
  }
  k_local_ = k.back();
  axes_[form_.split_axis] = expr::Add(expr::Mul(k_block_index_, expr::Int(k_block_)), k_local_);
  Expr at = expr::Add(expr::Mul(local_row_tile_, expr::Int(columns_.per_block)), local_column_tile_);
  for (size_t i = 0; i < k_order_.size(); ++i) {
    const int64_t extent = k_order_[i] == form_.split_axis ? k_block_ : form_.Extent(k_order_[i]);
    at = expr::Add(expr::Mul(at, expr::Int(extent)), k[i]);
  }
  StmtList body = OverPoints([&] {
    const Expr in_tile = expr::Add(expr::Mul(row_, expr::Int(columns_.tile)), column_);
    StmtList store;
    store.push_back(Store(panel_, expr::Add(expr::Mul(at, expr::Int(Points())), in_tile),
                          LeftValue(Point(expr::Int(0)), /*guarded=*/true)));
    return store;
  });
  for (size_t i = k_order_.size(); i-- > 0;) {
    Expr extent = expr::Int(form_.Extent(k_order_[i]));
    if (k_order_[i] == form_.split_axis && k_blocks_ > 1)
      extent = expr::Min(expr::Int(k_block_), expr::Sub(extent, expr::Mul(k_block_index_, expr::Int(k_block_))));
    StmtList loop;
    loop.push_back(For(k[i]->id, LoopKind::kSerial, extent, std::move(body)));
    body = std::move(loop);
  }
  return body;
}

}  // namespace tilth
