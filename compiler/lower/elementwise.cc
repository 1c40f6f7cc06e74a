#include "compiler/lower/elementwise.h"

#include <algorithm>

#include "base/math.h"

namespace tilth {
namespace {

class ElementwiseEmitter {
 public:
  ElementwiseEmitter(ProgramBuilder& builder, const FlatStage& stage, const ElementwiseSchedule& schedule)
      : builder_(builder), stage_(stage), schedule_(schedule) {}

  LoopPhase Emit(const std::string& name) {
    LoopPhase phase;
    phase.name = name;
    const Expr task = builder_.NewVariable("task");
    phase.task_var = task->id;
    if (stage_.num_spatial == 1)
      EmitLine(task, &phase);
    else
      EmitPoints(task, &phase);
    return phase;
  }

 private:
  // A single axis: tasks are chunks of it.
  void EmitLine(const Expr& task, LoopPhase* phase) {
    const int64_t extent = stage_.extents[0];
    const int64_t step = schedule_.lanes * schedule_.vectors;
    const int64_t chunk = step * std::max<int64_t>(1, schedule_.points_per_task);
    phase->num_tasks = CeilDiv(extent, chunk);
    const Expr begin = expr::Mul(task, expr::Int(chunk));
    StmtList full = Line(stage_.value, {nullptr}, begin, std::min(chunk, extent));
    const int64_t rest = extent % chunk;
    if (rest == 0 || phase->num_tasks == 1) {
      phase->body = std::move(full);
      return;
    }
    StmtList partial = Line(stage_.value, {nullptr}, begin, rest);
    phase->body.push_back(
        If(expr::LessThan(task, expr::Int(phase->num_tasks - 1)), std::move(full), std::move(partial)));
  }

  // Tasks are runs of points of the axes other than the vector axis.
  void EmitPoints(const Expr& task, LoopPhase* phase) {
    std::vector<int64_t> extents;
    int64_t points = 1;
    for (int a = 0; a < stage_.num_spatial; ++a) {
      if (a == schedule_.vector_axis) continue;
      extents.push_back(stage_.extents[a]);
      points *= stage_.extents[a];
    }
    const int64_t per_task = std::min(schedule_.points_per_task, points);
    phase->num_tasks = CeilDiv(points, per_task);
    const Expr point = builder_.NewVariable("point");
    const std::vector<Expr> digits = Digits(expr::Add(expr::Mul(task, expr::Int(per_task)), point), extents);
    std::vector<Expr> axes(stage_.num_spatial);
    for (int a = 0, next = 0; a < stage_.num_spatial; ++a)
      if (a != schedule_.vector_axis) axes[a] = digits[next++];
    Expr count = expr::Int(per_task);
    if (points % per_task != 0)
      count = expr::Min(count, expr::Sub(expr::Int(points), expr::Mul(task, expr::Int(per_task))));
    phase->body.push_back(For(point->id, LoopKind::kSerial, count,
                              Line(stage_.value, axes, expr::Int(0), stage_.extents[schedule_.vector_axis])));
  }

  // [begin, begin + extent) of the vector axis at one point of the others. A choice that does not depend on the vector
  // axis is made once, outside.
  StmtList Line(const Expr& value, const std::vector<Expr>& axes, const Expr& begin, int64_t extent) {
    if (value->op == ExprOp::kSelect && !DependsOn(value->args[0], schedule_.vector_axis)) {
      StmtList result;
      result.push_back(If(builder_.Bind(value->args[0], axes), Line(value->args[1], axes, begin, extent),
                          Line(value->args[2], axes, begin, extent)));
      return result;
    }
    return AlongVector(builder_, begin, extent, schedule_.lanes, schedule_.vectors,
                       [&](const Expr& start, const Expr& lane, int64_t) {
                         std::vector<Expr> at = axes;
                         at[schedule_.vector_axis] = expr::Add(start, lane);
                         StmtList body;
                         body.push_back(Store(builder_.buffer_of(stage_.output), builder_.Bind(stage_.output_index, at),
                                              builder_.Bind(value, at)));
                         return body;
                       });
  }

  ProgramBuilder& builder_;
  const FlatStage& stage_;
  const ElementwiseSchedule& schedule_;
};

}  // namespace

LoopPhase ElementwisePhase(ProgramBuilder& builder, const FlatStage& stage, const ElementwiseSchedule& schedule,
                           const std::string& name) {
  return ElementwiseEmitter(builder, stage, schedule).Emit(name);
}

StatusOr<LoopProgram> LowerElementwise(const Workload& workload, const ElementwiseSchedule& schedule) {
  if (workload.stages.size() != 1 || workload.stages[0].reduction != Reduction::kNone)
    return absl::InvalidArgumentError("an elementwise schedule for a workload of another form");
  FlatStage stage = Flatten(workload, workload.stages[0]);
  FuseAxes({&stage});
  ProgramBuilder builder(workload.name, workload.tensors);
  builder.program().phases.push_back(ElementwisePhase(builder, stage, schedule, "elementwise"));
  return std::move(builder.program());
}

}  // namespace tilth
