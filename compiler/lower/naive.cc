// The baseline: every stage in its own serial scalar loops.
#include "compiler/lower/lower.h"
#include "compiler/lower/program_builder.h"

namespace tilth {
namespace {

Expr Identity(const Tensor& tensor, Reduction reduction) {
  if (IsFloat(tensor.dtype)) return expr::Float(ReductionIdentity(reduction));
  const int64_t limit = int64_t{1} << 62;
  return expr::Int(reduction == Reduction::kMax    ? -limit
                   : reduction == Reduction::kMin  ? limit
                   : reduction == Reduction::kProd ? 1
                                                   : 0);
}

StmtList Nest(const std::vector<Expr>& variables, const std::vector<int64_t>& extents, size_t begin, StmtList body) {
  for (size_t i = extents.size(); i-- > begin;) {
    StmtList outer;
    outer.push_back(For(variables[i]->id, LoopKind::kSerial, expr::Int(extents[i]), std::move(body)));
    body = std::move(outer);
  }
  return body;
}

LoopPhase LowerStage(ProgramBuilder& builder, const Workload& workload, const Stage& stage, int number) {
  FlatStage flat = Flatten(workload, stage);
  const Tensor& output = workload.tensors[stage.output];
  std::vector<Expr> variables;
  for (int a = 0; a < flat.num_axes(); ++a)
    variables.push_back(builder.NewVariable(a < flat.num_spatial ? StrCat("i", a) : StrCat("r", a - flat.num_spatial)));
  const Expr index = builder.Bind(flat.output_index, variables);
  const Expr value = builder.Bind(flat.value, variables);
  const int target = builder.buffer_of(stage.output);
  StmtList body;
  if (stage.reduction == Reduction::kNone) {
    body.push_back(Store(target, index, value));
  } else {
    const int sum = builder.NewBuffer(StrCat("sum", number), BufferScope::kRegister, 1);
    builder.program().buffers[sum].dtype = IsFloat(output.dtype) ? DType::kF32 : DType::kI64;
    const Expr sum_now = expr::Load(sum, builder.program().buffers[sum].dtype, {expr::Int(0)});
    body.push_back(Store(sum, expr::Int(0), Identity(output, stage.reduction)));
    StmtList step;
    step.push_back(Store(sum, expr::Int(0), Combine(stage.reduction, sum_now, value)));
    for (Stmt& loop : Nest(variables, flat.extents, flat.num_spatial, std::move(step))) body.push_back(std::move(loop));
    body.push_back(Store(target, index, sum_now));
  }
  std::vector<int64_t> spatial(flat.extents.begin(), flat.extents.begin() + flat.num_spatial);
  LoopPhase phase;
  phase.name = StrCat("stage", number);
  phase.body = Nest(variables, spatial, 0, std::move(body));
  return phase;
}

}  // namespace

StatusOr<LoopProgram> LowerNaively(const Workload& workload) {
  ProgramBuilder builder(workload.name, workload.tensors);
  for (size_t i = 0; i < workload.tensors.size(); ++i)
    if (workload.tensors[i].role == TensorRole::kTemporary)
      builder.Place(static_cast<int>(i), BufferScope::kWorkspace, NumElements(workload.tensors[i].shape));
  for (size_t i = 0; i < workload.stages.size(); ++i)
    builder.program().phases.push_back(LowerStage(builder, workload, workload.stages[i], static_cast<int>(i)));
  return std::move(builder.program());
}

}  // namespace tilth
