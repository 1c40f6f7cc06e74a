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

// packed[outer][vector tile][k][lane of the tile], zero where the vector axis has ended.
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
  const Expr tile = digits.back();
  const int64_t rest = vectors_.extent % vector_step_;
  StmtList body = PackVectors(axes, tile, to, vector_step_);
  if (rest != 0) {
    StmtList partial = PackVectors(axes, tile, to, rest);
    if (vectors_.tiles == 1) {
      body = std::move(partial);
    } else {
      StmtList choice;
      choice.push_back(If(expr::LessThan(tile, expr::Int(vectors_.tiles - 1)), std::move(body), std::move(partial)));
      body = std::move(choice);
    }
  }
  for (size_t i = k_order_.size(); i-- > 0;) {
    StmtList loop;
    loop.push_back(For(k[i]->id, LoopKind::kSerial, expr::Int(form_.Extent(k_order_[i])), std::move(body)));
    body = std::move(loop);
  }
  phase.body = std::move(body);
  builder_.program().phases.push_back(std::move(phase));
}

// One k of one vector tile: `active` elements of the right operand, then zeros.
StmtList TiledLowering::PackVectors(const std::vector<Expr>& axes, const Expr& tile, const Expr& to, int64_t active) {
  StmtList result;
  for (int64_t at = 0; at < vector_step_; at += s_.lanes) {
    const int64_t copied = std::clamp<int64_t>(active - at, 0, s_.lanes);
    const Expr lane = builder_.NewVariable("lane");
    const Expr element = expr::Add(expr::Int(at), lane);
    std::vector<Expr> from = axes;
    from[form_.vector_axis] = expr::Add(expr::Mul(tile, expr::Int(vector_step_)), element);
    StmtList copy, zero;
    if (copied < s_.lanes) {
      zero.push_back(Store(packed_, expr::Add(to, element), expr::Float(0)));
      result.push_back(For(lane->id, LoopKind::kVector, expr::Int(s_.lanes), std::move(zero), s_.lanes));
    }
    if (copied == 0) continue;
    copy.push_back(Store(packed_, expr::Add(to, element), builder_.Bind(form_.right, from)));
    result.push_back(For(lane->id, LoopKind::kVector, expr::Int(copied), std::move(copy), s_.lanes));
  }
  return result;
}

// panel[row tile][column tile][k of this block][point of the tile]
StmtList TiledLowering::PackPanel(const TileShape& shape) {
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
  StmtList body = OverPoints(shape, [&] {
    const Expr in_tile = expr::Add(expr::Mul(row_, expr::Int(s_.columns)), column_);
    StmtList store;
    store.push_back(Store(panel_, expr::Add(expr::Mul(at, expr::Int(s_.rows * s_.columns)), in_tile),
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
