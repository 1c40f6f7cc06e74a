// One phase whose tasks are runs of rows; within a row every stage runs in turn, temporaries living in scratch.
#include "compiler/lower/rowwise.h"

#include <algorithm>
#include <map>

#include "base/math.h"
#include "compiler/lower/program_builder.h"
#include "search_space/rowwise_form.h"

namespace tilth {
namespace {

class RowwiseLowering {
 public:
  RowwiseLowering(const Workload& workload, const RowwiseSchedule& schedule)
      : workload_(workload), form_(AnalyseRowwise(workload)), s_(schedule), builder_(workload.name, workload.tensors) {
    across_ = s_.across_rows;
    for (size_t t = 0; t < workload.tensors.size(); ++t)
      if (workload.tensors[t].role == TensorRole::kTemporary)
        builder_.Place(static_cast<int>(t), BufferScope::kScratch, form_.row_elements[t] * (across_ ? s_.lanes : 1));
  }

  LoopProgram Run() {
    LoopPhase phase;
    phase.name = "rows";
    const Expr task = builder_.NewVariable("task"), row = builder_.NewVariable("row");
    phase.task_var = task->id;
    std::vector<int64_t> units = form_.row_extents;  // what a task counts: rows, or vectors of rows
    if (across_) units.back() = CeilDiv(units.back(), s_.lanes);
    int64_t total = 1;
    for (int64_t extent : units) total *= extent;
    const int64_t per_task = std::min(s_.rows_per_task, total);
    phase.num_tasks = CeilDiv(total, per_task);
    Expr count = expr::Int(per_task);
    if (total % per_task != 0)
      count = expr::Min(count, expr::Sub(expr::Int(total), expr::Mul(task, expr::Int(per_task))));
    rows_ = Digits(expr::Add(expr::Mul(task, expr::Int(per_task)), row), units);
    phase.body.push_back(For(row->id, LoopKind::kSerial, count, across_ ? VectorOfRows() : Row(0)));
    builder_.program().phases.push_back(std::move(phase));
    return std::move(builder_.program());
  }

 private:
  StmtList VectorOfRows() {
    const int64_t rest = form_.row_extents.back() % s_.lanes;
    const int64_t vectors = CeilDiv(form_.row_extents.back(), s_.lanes);
    const Expr unit = rows_.back();
    first_row_ = expr::Mul(unit, expr::Int(s_.lanes));
    if (rest == 0) return Row(s_.lanes);
    StmtList partial = Row(rest);
    if (vectors == 1) return partial;
    StmtList choice, full = Row(s_.lanes);
    choice.push_back(If(expr::LessThan(unit, expr::Int(vectors - 1)), std::move(full), std::move(partial)));
    return choice;
  }

  // Every stage of a row; across rows, of `active` rows.
  StmtList Row(int64_t active) {
    active_ = active;
    StmtList body;
    for (const FlatStage& stage : form_.stages)
      for (Stmt& stmt : StageBody(stage)) body.push_back(std::move(stmt));
    return body;
  }

  StmtList StageBody(const FlatStage& stage) {
    const int rows = form_.num_row_axes();
    std::vector<Expr> axes(stage.num_axes());
    for (int a = 0; a < rows; ++a) axes[a] = rows_[a];
    const bool reduces = stage.reduction != Reduction::kNone;
    // Columns are serial loops, but the last one is the vector loop of an elementwise stage.
    const int serial_end = reduces || across_ ? stage.num_spatial : std::max(rows, stage.num_spatial - 1);
    for (int a = rows; a < serial_end; ++a) axes[a] = builder_.NewVariable(StrCat("c", a - rows));
    StmtList body;
    if (across_)
      body = AcrossRows(stage, axes);
    else if (reduces)
      body = ReduceAlong(stage, axes);
    else
      body = ElementwiseAlong(stage, axes);
    for (int a = serial_end; a-- > rows;) body = Loop(axes[a], stage.extents[a], std::move(body));
    return body;
  }

  static StmtList Loop(const Expr& variable, int64_t extent, StmtList body) {
    StmtList loop;
    loop.push_back(For(variable->id, LoopKind::kSerial, expr::Int(extent), std::move(body)));
    return loop;
  }

  int LanesOf(int64_t extent) const {
    int lanes = s_.lanes;
    while (lanes > 1 && lanes / 2 >= extent) lanes /= 2;
    return lanes;
  }

  bool InScratch(int tensor) const { return workload_.tensors[tensor].role == TensorRole::kTemporary; }

  // Where element `index` of `tensor` is, for the stage `stage` at `axes`.
  Expr Place(const FlatStage& stage, int tensor, const Expr& index, const std::vector<Expr>& axes) const {
    if (!InScratch(tensor)) return BindValue(stage, index, axes);
    const Expr local = BindValue(stage, IndexInRow(index, form_.num_row_axes(), stage.num_axes()), axes);
    return across_ ? expr::Add(expr::Mul(local, expr::Int(s_.lanes)), lane_) : local;
  }

  Expr BindValue(const FlatStage& stage, const Expr& e, const std::vector<Expr>& axes) const {
    switch (e->op) {
      case ExprOp::kConst:
        return e;
      case ExprOp::kIndex:
        return axes[e->id];
      case ExprOp::kLoad:
        return expr::Load(builder_.buffer_of(e->id), e->dtype, {Place(stage, e->id, e->args[0], axes)});
      case ExprOp::kSelect:
        return expr::Select(BindValue(stage, e->args[0], axes), BindValue(stage, e->args[1], axes),
                            BindValue(stage, e->args[2], axes));
      case ExprOp::kCast:
        return expr::Cast(e->dtype, BindValue(stage, e->args[0], axes));
      case ExprOp::kDiv:
        if (const auto found = reciprocals_.find(e.get()); found != reciprocals_.end())
          return expr::Mul(BindValue(stage, e->args[0], axes), expr::Load(found->second, DType::kF32, {expr::Int(0)}));
        break;
      default:
        break;
    }
    if (e->args.size() == 1) return expr::Unary(e->op, BindValue(stage, e->args[0], axes));
    return expr::Binary(e->op, BindValue(stage, e->args[0], axes), BindValue(stage, e->args[1], axes));
  }

  Stmt StoreResult(const FlatStage& stage, const std::vector<Expr>& axes, Expr value) const {
    return Store(builder_.buffer_of(stage.output), Place(stage, stage.output, stage.output_index, axes),
                 std::move(value));
  }

  // What all columns of a row are divided by, inverted once and kept in a register.
  StmtList InvertDivisors(const FlatStage& stage, const std::vector<Expr>& axes) {
    StmtList result;
    reciprocals_.clear();
    std::map<const ExprNode*, int> found;
    expr::Visit(stage.value, [&](const ExprNode& node) {
      if (node.op != ExprOp::kDiv || expr::IsConst(node.args[1]) || DependsOn(node.args[1], stage.num_spatial - 1))
        return;
      const auto [entry, is_new] = found.emplace(&node, -1);
      if (!is_new) return;
      entry->second = builder_.NewBuffer("reciprocal", BufferScope::kRegister, 1);
      result.push_back(Store(entry->second, expr::Int(0),
                             expr::Binary(ExprOp::kDiv, expr::Float(1), BindValue(stage, node.args[1], axes))));
    });
    reciprocals_ = std::move(found);
    return result;
  }

  StmtList ElementwiseAlong(const FlatStage& stage, const std::vector<Expr>& axes) {
    if (stage.num_spatial == form_.num_row_axes()) {
      StmtList body;
      body.push_back(StoreResult(stage, axes, BindValue(stage, stage.value, axes)));
      return body;
    }
    const int64_t extent = stage.extents[stage.num_spatial - 1];
    StmtList result = InvertDivisors(stage, axes);
    StmtList columns = AlongVector(builder_, expr::Int(0), extent, LanesOf(extent), s_.accumulators,
                                   [&](const Expr& start, const Expr& lane, int64_t) {
                                     std::vector<Expr> at = axes;
                                     at[stage.num_spatial - 1] = expr::Add(start, lane);
                                     StmtList body;
                                     body.push_back(StoreResult(stage, at, BindValue(stage, stage.value, at)));
                                     return body;
                                   });
    reciprocals_.clear();
    for (Stmt& stmt : columns) result.push_back(std::move(stmt));
    return result;
  }

  int NewAccumulators(const FlatStage& stage, int64_t count, int lanes) {
    const int buffer = builder_.NewBuffer("acc", BufferScope::kRegister, count * lanes, lanes);
    if (!IsFloat(workload_.tensors[stage.output].dtype)) builder_.program().buffers[buffer].dtype = DType::kI64;
    return buffer;
  }

  Expr Identity(const FlatStage& stage) const {
    if (IsFloat(workload_.tensors[stage.output].dtype)) return expr::Float(ReductionIdentity(stage.reduction));
    const int64_t limit = int64_t{1} << 62;
    return expr::Int(stage.reduction == Reduction::kMax    ? -limit
                     : stage.reduction == Reduction::kMin  ? limit
                     : stage.reduction == Reduction::kProd ? 1
                                                           : 0);
  }

  // Vectors along the innermost reduced axis, `accumulators` of them independent, combined pairwise at the end.
  StmtList ReduceAlong(const FlatStage& stage, std::vector<Expr> axes) {
    const int last = stage.num_axes() - 1;
    const int64_t extent = stage.extents[last];
    const int lanes = LanesOf(extent);
    const int64_t count = std::max<int64_t>(1, std::min(s_.accumulators, extent / lanes));
    const int acc = NewAccumulators(stage, count, lanes);
    const DType dtype = builder_.program().buffers[acc].dtype;
    auto element = [&](const Expr& index) { return expr::Load(acc, dtype, {index}); };
    auto vector = [&](int64_t active, const std::function<Stmt(const Expr&)>& body) {
      const Expr lane = builder_.NewVariable("lane");
      StmtList list;
      list.push_back(body(lane));
      return For(lane->id, LoopKind::kVector, expr::Int(active), std::move(list), lanes);
    };
    StmtList result;
    for (int64_t u = 0; u < count; ++u)
      result.push_back(vector(
          lanes, [&](const Expr& lane) { return Store(acc, expr::Add(expr::Int(u * lanes), lane), Identity(stage)); }));
    for (int a = stage.num_spatial; a < last; ++a) axes[a] = builder_.NewVariable(StrCat("r", a));
    auto accumulate = [&](int64_t u, const Expr& start, int64_t active) {
      return vector(active, [&](const Expr& lane) {
        axes[last] = expr::Add(start, lane);
        const Expr at = expr::Add(expr::Int(u * lanes), lane);
        return Store(acc, at, Combine(stage.reduction, element(at), BindValue(stage, stage.value, axes)));
      });
    };
    const int64_t step = count * lanes, steps = extent / step;
    StmtList body, unrolled;
    const Expr i = builder_.NewVariable("i");
    for (int64_t u = 0; u < count; ++u)
      unrolled.push_back(accumulate(u, expr::Add(expr::Mul(i, expr::Int(step)), expr::Int(u * lanes)), lanes));
    if (steps > 0) body = Loop(i, steps, std::move(unrolled));
    for (int64_t at = steps * step; at < extent; at += lanes)
      body.push_back(accumulate(0, expr::Int(at), std::min<int64_t>(lanes, extent - at)));
    for (int a = last; a-- > stage.num_spatial;) body = Loop(axes[a], stage.extents[a], std::move(body));
    for (Stmt& stmt : body) result.push_back(std::move(stmt));

    for (int64_t u = 1; u < count; ++u)
      result.push_back(vector(lanes, [&](const Expr& lane) {
        return Store(acc, lane,
                     Combine(stage.reduction, element(lane), element(expr::Add(expr::Int(u * lanes), lane))));
      }));
    result.push_back(StoreResult(stage, axes, AcrossLanes(stage, acc, lanes, &result)));
    return result;
  }

  // Combines the lanes of the first register of `acc`: its halves with each other until one lane is left.
  Expr AcrossLanes(const FlatStage& stage, int acc, int lanes, StmtList* result) {
    const DType dtype = builder_.program().buffers[acc].dtype;
    int whole = acc;
    for (int half = lanes / 2; half >= 1; half /= 2) {
      const int next = NewAccumulators(stage, 1, half);
      const Expr lane = builder_.NewVariable("lane");
      auto element = [&](const Expr& index) { return expr::Load(whole, dtype, {index}); };
      StmtList list;
      list.push_back(
          Store(next, lane, Combine(stage.reduction, element(lane), element(expr::Add(lane, expr::Int(half))))));
      result->push_back(For(lane->id, LoopKind::kVector, expr::Int(half), std::move(list), half));
      whole = next;
    }
    return expr::Load(whole, dtype, {expr::Int(0)});
  }

  // One lane a row: columns and reductions are serial.
  StmtList AcrossRows(const FlatStage& stage, std::vector<Expr> axes) {
    auto vector = [&](const std::function<Stmt()>& body) {
      lane_ = builder_.NewVariable("lane");
      axes[form_.num_row_axes() - 1] = expr::Add(first_row_, lane_);
      StmtList list;
      list.push_back(body());
      return For(lane_->id, LoopKind::kVector, expr::Int(active_), std::move(list), s_.lanes);
    };
    StmtList result;
    if (stage.reduction == Reduction::kNone) {
      result.push_back(vector([&] { return StoreResult(stage, axes, BindValue(stage, stage.value, axes)); }));
      return result;
    }
    const int acc = NewAccumulators(stage, 1, s_.lanes);
    const DType dtype = builder_.program().buffers[acc].dtype;
    result.push_back(vector([&] { return Store(acc, lane_, Identity(stage)); }));
    for (int a = stage.num_spatial; a < stage.num_axes(); ++a) axes[a] = builder_.NewVariable(StrCat("r", a));
    StmtList body;
    body.push_back(vector([&] {
      return Store(acc, lane_,
                   Combine(stage.reduction, expr::Load(acc, dtype, {lane_}), BindValue(stage, stage.value, axes)));
    }));
    for (int a = stage.num_axes(); a-- > stage.num_spatial;) body = Loop(axes[a], stage.extents[a], std::move(body));
    for (Stmt& stmt : body) result.push_back(std::move(stmt));
    result.push_back(vector([&] { return StoreResult(stage, axes, expr::Load(acc, dtype, {lane_})); }));
    return result;
  }

  const Workload& workload_;
  RowwiseForm form_;
  RowwiseSchedule s_;
  ProgramBuilder builder_;
  bool across_ = false;
  int64_t active_ = 0;
  std::vector<Expr> rows_;
  Expr first_row_, lane_;
  std::map<const ExprNode*, int> reciprocals_;  // registers by the divisions of the stage at hand
};

}  // namespace

StatusOr<LoopProgram> LowerRowwise(const Workload& workload, const RowwiseSchedule& schedule) {
  return RowwiseLowering(workload, schedule).Run();
}

}  // namespace tilth
