// The baseline: every stage in its own serial scalar loops. A reduction computes a few neighbouring elements at once,
// in code that is as plain as for one, so that large products do not take a board minutes.
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

// How many elements along an axis are computed at once: a divisor of its extent.
int64_t StripOf(int64_t extent) {
  int64_t strip = 8;
  while (extent % strip != 0) --strip;
  return strip;
}

LoopPhase LowerStage(ProgramBuilder& builder, const Workload& workload, const Stage& stage, int number) {
  FlatStage flat = Flatten(workload, stage);
  const Tensor& output = workload.tensors[stage.output];
  std::vector<Expr> variables;
  for (int a = 0; a < flat.num_axes(); ++a)
    variables.push_back(builder.NewVariable(a < flat.num_spatial ? StrCat("i", a) : StrCat("r", a - flat.num_spatial)));
  const int target = builder.buffer_of(stage.output);
  std::vector<int64_t> spatial(flat.extents.begin(), flat.extents.begin() + flat.num_spatial);
  StmtList body;
  if (stage.reduction == Reduction::kNone) {
    body.push_back(Store(target, builder.Bind(flat.output_index, variables), builder.Bind(flat.value, variables)));
  } else {
    const int64_t strip = spatial.empty() ? 1 : StripOf(spatial.back());
    const int sum = builder.NewBuffer(StrCat("sum", number), BufferScope::kRegister, strip);
    const DType sum_type = IsFloat(output.dtype) ? DType::kF32 : DType::kI64;
    builder.program().buffers[sum].dtype = sum_type;
    StmtList clear, step, finish;
    for (int64_t element = 0; element < strip; ++element) {
      std::vector<Expr> point = variables;
      if (strip > 1) {
        Expr& last = point[flat.num_spatial - 1];
        last = expr::Add(expr::Mul(last, expr::Int(strip)), expr::Int(element));
      }
      const Expr sum_now = expr::Load(sum, sum_type, {expr::Int(element)});
      clear.push_back(Store(sum, expr::Int(element), Identity(output, stage.reduction)));
      step.push_back(
          Store(sum, expr::Int(element), Combine(stage.reduction, sum_now, builder.Bind(flat.value, point))));
      finish.push_back(Store(target, builder.Bind(flat.output_index, point), sum_now));
    }
    body = std::move(clear);
    for (Stmt& loop : Nest(variables, flat.extents, flat.num_spatial, std::move(step))) body.push_back(std::move(loop));
    for (Stmt& store : finish) body.push_back(std::move(store));
    if (strip > 1) spatial.back() /= strip;
  }
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
