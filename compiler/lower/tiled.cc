// The program of a tiled reduction: phases that copy operands (padding, packing), then tasks of register tiles:
//
//   task = (outer axes, row block, column block, vector block)
//     for k block
//       [pack the left panel of this task and k block]
//       for row tile, column tile, vector tile     (vector tiles innermost or outermost)
//         accumulators = 0, or the task's partial sums after the first k block
//         for k: accumulators += left * right      (k unrolled)
//         output = epilogue(accumulators), or the partial sums before the last k block
//
// Where an extent is no multiple of its tile, the last tile overlaps the one before it.
#include "compiler/lower/tiled.h"

#include <tuple>

#include "compiler/lower/tiled_lowering.h"

namespace tilth {

using Left = TiledSchedule::Left;

namespace {

constexpr int64_t kMaxUnrolledBorder = 8;  // steps of a reduction

void Append(StmtList more, StmtList* list) {
  list->insert(list->end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

}  // namespace

Expr TiledLowering::Linear(const std::vector<int>& axes, const std::vector<Expr>& at) const {
  Expr index = expr::Int(0);
  for (int axis : axes) index = expr::Add(expr::Mul(index, expr::Int(form_.Extent(axis))), at[axis]);
  return index;
}

void TiledLowering::AddMainPhase() {
  accumulators_ = builder_.NewBuffer("acc", BufferScope::kRegister, Points() * vector_step_, s_.lanes);
  right_registers_ = builder_.NewBuffer("right", BufferScope::kRegister, vector_step_, s_.lanes);
  left_register_ = builder_.NewBuffer("left", BufferScope::kRegister, 1);
  LoopPhase phase;
  phase.name = "tiles";
  const Expr task = builder_.NewVariable("task");
  phase.task_var = task->id;

  std::vector<int64_t> extents;
  if (s_.vector_major_tasks) extents.push_back(vectors_.blocks);
  for (int axis : form_.outer_axes) extents.push_back(form_.Extent(axis));
  extents.insert(extents.end(), {rows_.blocks, columns_.blocks});
  if (!s_.vector_major_tasks) extents.push_back(vectors_.blocks);
  phase.num_tasks = 1;
  for (int64_t extent : extents) phase.num_tasks *= extent;
  const std::vector<Expr> digits = Digits(task, extents);
  size_t next = 0;
  if (s_.vector_major_tasks) vector_block_ = digits[next++];
  axes_.assign(form_.reduce.num_axes(), expr::Int(0));
  for (int axis : form_.outer_axes) axes_[axis] = digits[next++];
  row_block_ = digits[next++];
  column_block_ = digits[next++];
  if (!s_.vector_major_tasks) vector_block_ = digits[next++];

  if (s_.left == Left::kPanel) {
    int64_t k_panel = k_block_;
    for (int axis : k_order_)
      if (axis != form_.split_axis) k_panel *= form_.Extent(axis);
    panel_ =
        builder_.NewBuffer("panel", BufferScope::kScratch, rows_.per_block * columns_.per_block * k_panel * Points());
  }
  if (k_blocks_ > 1) {
    const int64_t tiles = rows_.per_block * columns_.per_block * vectors_.per_block;
    partial_sums_ = builder_.NewBuffer("sums", BufferScope::kScratch, tiles * Points() * vector_step_);
  }
  phase.body = TaskBody();
  builder_.program().phases.push_back(std::move(phase));
}

StmtList TiledLowering::TaskBody() {
  StmtList result;
  const Expr k_block = builder_.NewVariable("kb");
  k_block_index_ = k_blocks_ == 1 ? expr::Int(0) : k_block;
  StmtList body;
  if (s_.left == Left::kPanel) body = OverTiles(/*with_vectors=*/false, &TiledLowering::PackPanel);
  Append(OverTiles(/*with_vectors=*/true, &TiledLowering::Tile), &body);
  if (k_blocks_ == 1) return body;
  result.push_back(For(k_block->id, LoopKind::kSerial, expr::Int(k_blocks_), std::move(body)));
  return result;
}

StmtList TiledLowering::OverTiles(bool with_vectors, StmtList (TiledLowering::*body)()) {
  const Expr row = builder_.NewVariable("row_tile"), column = builder_.NewVariable("column_tile");
  const Expr vector = builder_.NewVariable("vector_tile");
  auto absolute = [](const Expr& block, const Tiling& tiling, const Expr& local) {
    return expr::Add(expr::Mul(block, expr::Int(tiling.per_block)), local);
  };
  local_row_tile_ = row;
  local_column_tile_ = column;
  local_vector_tile_ = vector;
  row_tile_ = absolute(row_block_, rows_, row);
  column_tile_ = absolute(column_block_, columns_, column);
  vector_tile_ = absolute(vector_block_, vectors_, vector);

  StmtList tile = OverColumnTiles(body);
  auto wrap = [](const Expr& variable, const Expr& extent, StmtList inner) {
    StmtList loop;
    loop.push_back(For(variable->id, LoopKind::kSerial, extent, std::move(inner)));
    return loop;
  };
  auto wrap_vectors = [&](StmtList inner) {
    return with_vectors ? wrap(vector, vectors_.TilesIn(vector_block_), std::move(inner)) : std::move(inner);
  };
  if (s_.vectors_inside) tile = wrap_vectors(std::move(tile));
  tile = wrap(column, columns_.TilesIn(column_block_), std::move(tile));
  tile = wrap(row, rows_.TilesIn(row_block_), std::move(tile));
  if (!s_.vectors_inside) tile = wrap_vectors(std::move(tile));
  return tile;
}

// `body` once per point of these columns of the register tile, with row_ and column_ set.
StmtList TiledLowering::OverPoints(ColumnRange range, const std::function<StmtList()>& body) {
  row_ = builder_.NewVariable("row");
  const Expr column = builder_.NewVariable("column");
  column_ = expr::Add(column, expr::Int(range.first));
  StmtList columns, rows;
  StmtList inner = body();
  columns.push_back(For(column->id, LoopKind::kUnrolled, expr::Int(range.last - range.first), std::move(inner)));
  rows.push_back(For(row_->id, LoopKind::kUnrolled, expr::Int(rows_.tile), std::move(columns)));
  return rows;
}

// `body` as a vector loop for each register of the tile, over those lanes that the axis has; `whole`: over all of them.
StmtList TiledLowering::OverVectors(bool whole, const std::function<Stmt(int64_t, const Expr&)>& body) {
  const int64_t active = whole ? s_.lanes : std::min<int64_t>(s_.lanes, vectors_.extent);
  StmtList loops;
  for (int64_t v = 0; v < registers_; ++v) {
    const Expr lane = builder_.NewVariable("lane");
    StmtList inner;
    inner.push_back(body(v, lane));
    loops.push_back(For(lane->id, LoopKind::kVector, expr::Int(active), std::move(inner), s_.lanes));
  }
  return loops;
}

// The value of every axis at the current point of the register tile; reduced axes come from axes_.
std::vector<Expr> TiledLowering::Point(const Expr& vector_element) const {
  std::vector<Expr> axes = axes_;
  if (form_.row_axis >= 0) axes[form_.row_axis] = expr::Add(rows_.Start(row_tile_), row_);
  if (form_.column_axis >= 0) axes[form_.column_axis] = expr::Add(columns_.Start(column_tile_), column_);
  axes[form_.vector_axis] = vector_element;
  return axes;
}

Expr TiledLowering::LeftValue(const std::vector<Expr>& axes, bool guarded) const {
  Expr value = builder_.Bind(form_.left, axes);
  if (!guarded || form_.guards.empty()) return value;
  Expr inside = expr::Bool(true);
  for (const Guard& guard : form_.guards)
    inside = expr::And(inside, expr::LessEqual(expr::Int(0), builder_.Bind(FromAffine(guard.form), axes)));
  return expr::Select(inside, value, expr::Float(form_.guard_value));
}

Expr TiledLowering::RightValue(const std::vector<Expr>& axes, int64_t vector, const Expr& lane) const {
  if (!packed_right_) return builder_.Bind(form_.right, axes);
  const Expr tile =
      expr::Add(expr::Mul(Linear(form_.right_outer_axes, axes_), expr::Int(vectors_.tiles)), vector_tile_);
  const Expr k = expr::Add(expr::Mul(tile, expr::Int(form_.ReductionLength())), Linear(k_order_, axes));
  return expr::Load(packed_, DType::kF32,
                    {expr::Add(expr::Mul(k, expr::Int(vector_step_)), expr::Add(expr::Int(vector * s_.lanes), lane))});
}

// The left operand at the current point, from the panel that this task has packed.
Expr TiledLowering::PanelValue() const {
  Expr at = expr::Add(expr::Mul(local_row_tile_, expr::Int(columns_.per_block)), local_column_tile_);
  for (int axis : k_order_) {
    const bool split = axis == form_.split_axis;
    at = expr::Add(expr::Mul(at, expr::Int(split ? k_block_ : form_.Extent(axis))), split ? k_local_ : axes_[axis]);
  }
  const Expr in_tile = expr::Add(expr::Mul(row_, expr::Int(columns_.tile)), column_);
  return expr::Load(panel_, DType::kF32, {expr::Add(expr::Mul(at, expr::Int(Points())), in_tile)});
}

Expr TiledLowering::AccumulatorIndex(int64_t vector, const Expr& lane) const {
  const Expr point = expr::Add(expr::Mul(row_, expr::Int(columns_.tile)), column_);
  return expr::Add(expr::Mul(point, expr::Int(vector_step_)), expr::Add(expr::Int(vector * s_.lanes), lane));
}

Expr TiledLowering::PartialSumIndex(int64_t vector, const Expr& lane) const {
  Expr tile = expr::Add(expr::Mul(local_row_tile_, expr::Int(columns_.per_block)), local_column_tile_);
  tile = expr::Add(expr::Mul(tile, expr::Int(vectors_.per_block)), local_vector_tile_);
  return expr::Add(expr::Mul(tile, expr::Int(Points() * vector_step_)), AccumulatorIndex(vector, lane));
}

// Whether no guard can fail anywhere in the tile, as a condition on the tile's position.
Expr TiledLowering::Interior() const {
  Expr inside = expr::Bool(true);
  for (const Guard& guard : form_.guards) {
    Expr least = expr::Int(guard.form.constant);
    for (int axis = 0; axis < form_.reduce.num_axes(); ++axis) {
      const int64_t c = guard.form.coefficients[axis];
      if (c == 0) continue;
      Expr first = axes_[axis];
      int64_t span = 1;
      if (axis >= form_.reduce.num_spatial) {
        first = expr::Int(0);
        span = form_.Extent(axis);
      } else if (axis == form_.row_axis) {
        first = rows_.Start(row_tile_);
        span = rows_.tile;
      } else if (axis == form_.column_axis) {
        first = columns_.Start(column_tile_);
        span = columns_.tile;
      } else if (axis == form_.vector_axis) {
        first = vectors_.Start(vector_tile_);
        span = vectors_.tile;
      }
      least = expr::Add(least, expr::Mul(expr::Int(c), expr::Add(first, expr::Int(c < 0 ? span - 1 : 0))));
    }
    inside = expr::And(inside, expr::LessEqual(expr::Int(0), least));
  }
  return inside;
}

StmtList TiledLowering::Tile() {
  StmtList result = Initialise();
  if (s_.left == Left::kGuarded) {
    StmtList interior = KLoops(/*guarded=*/false);
    result.push_back(If(Interior(), std::move(interior), KLoops(/*guarded=*/true)));
  } else {
    Append(KLoops(/*guarded=*/false), &result);
  }
  Append(Finish(), &result);
  return result;
}

StmtList TiledLowering::Initialise() {
  auto fill = [&](bool from_partial_sums) {
    return OverPoints([&] {
      return OverVectors(/*whole=*/true, [&](int64_t v, const Expr& lane) {
        const Expr value = from_partial_sums ? expr::Load(partial_sums_, DType::kF32, {PartialSumIndex(v, lane)})
                                             : expr::Float(ReductionIdentity(form_.reduce.reduction));
        return Store(accumulators_, AccumulatorIndex(v, lane), value);
      });
    });
  };
  if (k_blocks_ == 1) return fill(false);
  StmtList result;
  StmtList first = fill(false);
  result.push_back(If(expr::LessThan(k_block_index_, expr::Int(1)), std::move(first), fill(true)));
  return result;
}

// The loops of k_order_ from number `level` inwards.
StmtList TiledLowering::KLoop(bool guarded, size_t level, ColumnRange range) {
  if (level == k_order_.size()) return KStep(guarded, range);
  const int axis = k_order_[level];
  if (border_start_ && form_.clip->ClipsColumns(axis)) return BorderTaps(level, range);
  if (axis == form_.split_axis) return SplitLoop(guarded, range);
  const Expr k = builder_.NewVariable(StrCat("k", axis));
  const bool clipped = form_.clip && form_.clip->ClipsRows(axis);
  const bool unroll_all = s_.k_unroll >= form_.ReductionLength() && !clipped;
  Expr first = expr::Int(0), extent = expr::Int(form_.Extent(axis));
  if (clipped) std::tie(first, extent) = TapsInside(axis);
  axes_[axis] = expr::Add(first, k);
  StmtList body = KLoop(guarded, level + 1, range), loop;
  loop.push_back(For(k->id, unroll_all ? LoopKind::kUnrolled : LoopKind::kSerial, extent, std::move(body)));
  return loop;
}

// The innermost loop, unrolled, and what its steps leave over.
StmtList TiledLowering::SplitLoop(bool guarded, ColumnRange range) {
  const Expr split_count =
      k_blocks_ == 1 || form_.Extent(form_.split_axis) % k_block_ == 0
          ? expr::Int(k_block_)
          : expr::Min(expr::Int(k_block_), expr::Sub(expr::Int(form_.Extent(form_.split_axis)),
                                                     expr::Mul(k_block_index_, expr::Int(k_block_))));
  // The guards of a border tile depend on the window, not on the channel: unrolling channels would only repeat them.
  // And where each tap has its own loop, code grows with the taps; only short loops are worth that.
  const bool at_border = (guarded && !form_.left_along_vector) || (border_start_ && k_block_ > kMaxUnrolledBorder);
  const int64_t unroll = at_border ? 1 : std::min(s_.k_unroll, k_block_);
  auto split_position = [&](const Expr& local) {
    k_local_ = local;
    return expr::Add(expr::Mul(k_block_index_, expr::Int(k_block_)), local);
  };
  StmtList body;
  const Expr steps = expr::FloorDiv(split_count, unroll);
  const Expr k = builder_.NewVariable("k"), u = builder_.NewVariable("u"), rest = builder_.NewVariable("rest");
  axes_[form_.split_axis] = split_position(expr::Add(expr::Mul(k, expr::Int(unroll)), u));
  StmtList unrolled, step = KStep(guarded, range);
  unrolled.push_back(For(u->id, LoopKind::kUnrolled, expr::Int(unroll), std::move(step)));
  body.push_back(For(k->id, LoopKind::kSerial, steps, std::move(unrolled)));
  const Expr remaining = expr::Mod(split_count, unroll);
  if (!expr::IsIntConst(remaining, 0)) {
    axes_[form_.split_axis] = split_position(expr::Add(expr::Mul(steps, expr::Int(unroll)), rest));
    body.push_back(For(rest->id, LoopKind::kSerial, remaining, KStep(guarded, range)));
  }
  return body;
}

StmtList TiledLowering::KStep(bool guarded, ColumnRange range) {
  StmtList result;
  if (form_.right) {
    row_ = column_ = expr::Int(0);
    result = OverVectors(/*whole=*/packed_right_, [&](int64_t v, const Expr& lane) {
      return Store(right_registers_, expr::Add(expr::Int(v * s_.lanes), lane),
                   RightValue(Point(VectorElement(v, lane)), v, lane));
    });
  }
  const bool broadcast = !form_.left_along_vector;
  auto update = [&](int64_t v, const Expr& lane) {
    Expr value = broadcast ? expr::Load(left_register_, DType::kF32, {expr::Int(0)})
                           : LeftValue(Point(VectorElement(v, lane)), guarded);
    if (form_.right) {
      const Expr element = expr::Add(expr::Int(v * s_.lanes), lane);
      value = expr::Mul(value, expr::Load(right_registers_, DType::kF32, {element}));
    }
    return Store(accumulators_, AccumulatorIndex(v, lane),
                 Combine(form_.reduce.reduction, Accumulator(v, lane), value));
  };
  Append(OverPoints(range,
                    [&] {
                      StmtList updates;
                      if (broadcast) {
                        const Expr left =
                            s_.left == Left::kPanel ? PanelValue() : LeftValue(Point(expr::Int(0)), guarded);
                        updates.push_back(Store(left_register_, expr::Int(0), left));
                      }
                      // Lanes past the end of a short axis hold zeros where the right operand is packed, and anything
                      // elsewhere.
                      Append(OverVectors(/*whole=*/broadcast && form_.right, update), &updates);
                      return updates;
                    }),
         &result);
  return result;
}

StmtList TiledLowering::Finish() {
  auto store_partial_sums = [&] {
    return OverPoints([&] {
      return OverVectors(/*whole=*/true, [&](int64_t v, const Expr& lane) {
        return Store(partial_sums_, PartialSumIndex(v, lane), Accumulator(v, lane));
      });
    });
  };
  auto store_result = [&] {
    return OverPoints([&] {
      return OverVectors(/*whole=*/false, [&](int64_t v, const Expr& lane) {
        const std::vector<Expr> at = Point(VectorElement(v, lane));
        Expr value = Accumulator(v, lane);
        if (form_.epilogue) value = builder_.BindWith(form_.epilogue->value, at, form_.reduce.output, value);
        return Store(builder_.buffer_of(form_.result), builder_.Bind(form_.result_index, at), value);
      });
    });
  };
  if (k_blocks_ == 1) return store_result();
  StmtList result;
  StmtList partial = store_partial_sums();
  result.push_back(If(expr::LessThan(k_block_index_, expr::Int(k_blocks_ - 1)), std::move(partial), store_result()));
  return result;
}

StatusOr<LoopProgram> LowerTiled(const Workload& workload, const TiledSchedule& schedule) {
  std::optional<TiledForm> form = schedule.left == Left::kClipped
                                      ? AnalyseClipped(workload)
                                      : AnalyseTiled(workload, schedule.left == Left::kPadded);
  if (!form) return absl::InvalidArgumentError("a tiled schedule for a workload of another form");
  return TiledLowering(std::move(*form), schedule, workload.name).Run();
}

}  // namespace tilth
