#include "search_space/tiled_form.h"

#include <algorithm>

namespace tilth {
namespace {

// Groups of a convolution with as few filters leave most lanes of a vector empty, and share one instead.
constexpr int64_t kShortGroup = 4;

// The conjuncts of a condition as guards; nothing if one of them is not an affine comparison.
bool CollectGuards(const Expr& condition, int num_axes, std::vector<Guard>* guards) {
  if (condition->op == ExprOp::kAnd)
    return CollectGuards(condition->args[0], num_axes, guards) && CollectGuards(condition->args[1], num_axes, guards);
  if (condition->op != ExprOp::kLess && condition->op != ExprOp::kLessEqual) return false;
  Expr difference = expr::Sub(condition->args[1], condition->args[0]);
  if (condition->op == ExprOp::kLess) difference = expr::Sub(difference, expr::Int(1));
  std::optional<Affine> affine = AsAffine(difference, num_axes);
  if (!affine) return false;
  guards->push_back({*affine});
  return true;
}

// select(guards, x, constant) with affine guards?
struct Guarded {
  Expr value;
  std::vector<Guard> guards;
  double otherwise = 0;
};
std::optional<Guarded> SplitGuards(const Expr& e, int num_axes) {
  if (e->op != ExprOp::kSelect || !expr::IsConst(e->args[2]) || !IsFloat(e->args[2]->dtype)) return std::nullopt;
  Guarded guarded{e->args[1], {}, e->args[2]->number};
  if (!CollectGuards(e->args[0], num_axes, &guarded.guards)) return std::nullopt;
  return guarded;
}

int64_t Minimum(const Affine& form, const std::vector<int64_t>& extents) {
  int64_t value = form.constant;
  for (size_t i = 0; i < form.coefficients.size(); ++i)
    value += std::min<int64_t>(0, form.coefficients[i] * (extents[i] - 1));
  return value;
}

int64_t Maximum(const Affine& form, const std::vector<int64_t>& extents) {
  int64_t value = form.constant;
  for (size_t i = 0; i < form.coefficients.size(); ++i)
    value += std::max<int64_t>(0, form.coefficients[i] * (extents[i] - 1));
  return value;
}

std::vector<int64_t> AllExtents(const Stage& stage) {
  std::vector<int64_t> extents;
  for (const Axis& axis : stage.axes) extents.push_back(axis.extent);
  for (const Axis& axis : stage.reduce_axes) extents.push_back(axis.extent);
  return extents;
}

// Each guard must say "dimension d is within its bounds": then a copy padded with the guard value is the same.
bool AreBounds(const std::vector<Guard>& guards, const std::vector<Affine>& indices,
               const std::vector<int64_t>& shape) {
  return std::all_of(guards.begin(), guards.end(), [&](const Guard& guard) {
    for (size_t d = 0; d < indices.size(); ++d) {
      if (guard.form == indices[d]) return true;
      Affine upper = indices[d];
      for (int64_t& c : upper.coefficients) c = -c;
      upper.constant = shape[d] - 1 - upper.constant;
      if (guard.form == upper) return true;
    }
    return false;
  });
}

// Finds the guarded load in `value` (alone, or a factor of a product).
const ExprNode* GuardedSide(const Expr& value, Expr* other) {
  if (value->op == ExprOp::kSelect) return value.get();
  if (value->op != ExprOp::kMul) return nullptr;
  for (int side : {0, 1}) {
    if (value->args[side]->op != ExprOp::kSelect) continue;
    *other = value->args[1 - side];
    return value->args[side].get();
  }
  return nullptr;
}

// Rewrites stage 0 to read a padded copy that a new stage in front makes.
std::optional<Workload> PadOperand(const Workload& workload) {
  const Stage& stage = workload.stages[0];
  const std::vector<int64_t> extents = AllExtents(stage);
  const int num_axes = static_cast<int>(extents.size());
  Expr other;
  const ExprNode* select = GuardedSide(stage.value, &other);
  if (!select) return std::nullopt;
  const std::optional<Guarded> guarded =
      SplitGuards(expr::Select(select->args[0], select->args[1], select->args[2]), num_axes);
  if (!guarded || guarded->value->op != ExprOp::kLoad) return std::nullopt;
  const Tensor& source = workload.tensors[guarded->value->id];
  std::vector<Affine> indices;
  for (const Expr& arg : guarded->value->args) {
    std::optional<Affine> affine = AsAffine(arg, num_axes);
    if (!affine) return std::nullopt;
    indices.push_back(*affine);
  }
  if (!AreBounds(guarded->guards, indices, source.shape)) return std::nullopt;

  Workload padded = workload;
  Tensor copy = source;
  copy.name += ".padded";
  copy.role = TensorRole::kTemporary;
  Stage fill;
  fill.output = static_cast<int>(padded.tensors.size());
  Expr inside = expr::Bool(true);
  std::vector<Expr> from, to;
  for (size_t d = 0; d < indices.size(); ++d) {
    const int64_t low = std::min<int64_t>(0, Minimum(indices[d], extents));
    const int64_t high = std::max<int64_t>(source.shape[d] - 1, Maximum(indices[d], extents));
    copy.shape[d] = high - low + 1;
    fill.axes.push_back({StrCat("d", d), copy.shape[d]});
    const Expr at = expr::Add(expr::Index(static_cast<int>(d)), expr::Int(low));
    if (low < 0) inside = expr::And(inside, expr::LessEqual(expr::Int(0), at));
    if (high >= source.shape[d]) inside = expr::And(inside, expr::LessThan(at, expr::Int(source.shape[d])));
    from.push_back(at);
    to.push_back(expr::Sub(guarded->value->args[d], expr::Int(low)));
  }
  fill.output_index = IdentityIndex(static_cast<int>(indices.size()));
  fill.value =
      expr::Select(inside, expr::Load(guarded->value->id, source.dtype, from), expr::Float(guarded->otherwise));
  const Expr load = expr::Load(fill.output, source.dtype, to);
  padded.stages[0].value = other ? expr::Mul(load, other) : load;
  padded.tensors.push_back(copy);
  padded.stages.insert(padded.stages.begin(), fill);
  return padded;
}

int VectorAxis(const TiledForm& form) {
  const FlatStage& s = form.reduce;
  const std::optional<Affine> out = AsAffine(form.result_index, s.num_axes());
  if (!out) return -1;
  for (int a = s.num_spatial - 1; a >= 0; --a)
    if (out->coefficients[a] == 1 && s.extents[a] > 1) return a;
  return s.num_spatial - 1;
}

bool IsAffineLoad(const Expr& e, int num_axes) {
  return e->op == ExprOp::kLoad && AsAffine(e->args[0], num_axes).has_value();
}

// Splits the value into left and right; right depends on the vector axis and on as few other spatial axes as possible.
void ChooseOperands(TiledForm* form) {
  const FlatStage& s = form->reduce;
  form->left = s.value;
  if (s.value->op == ExprOp::kMul && s.reduction == Reduction::kSum) {
    auto spatial_axes_of = [&](const Expr& e) {
      int count = 0;
      for (int a = 0; a < s.num_spatial; ++a) count += a != form->vector_axis && DependsOn(e, a);
      return count;
    };
    int best = -1;
    for (int side : {1, 0}) {
      const Expr& candidate = s.value->args[side];
      if (!IsAffineLoad(candidate, s.num_axes()) || !DependsOn(candidate, form->vector_axis)) continue;
      if (best < 0 || spatial_axes_of(candidate) < spatial_axes_of(s.value->args[best])) best = side;
    }
    if (best >= 0) {
      form->right = s.value->args[best];
      form->right_tensor = form->right->id;
      form->left = s.value->args[1 - best];
    }
  }
  if (std::optional<Guarded> guarded = SplitGuards(form->left, s.num_axes())) {
    form->left = guarded->value;
    form->guards = guarded->guards;
    form->guard_value = guarded->otherwise;
  }
  form->left_along_vector = DependsOn(form->left, form->vector_axis);
  for (const Guard& guard : form->guards) form->left_along_vector |= guard.form.coefficients[form->vector_axis] != 0;
}

void ChooseAxes(TiledForm* form) {
  const FlatStage& s = form->reduce;
  std::vector<int> shared;  // spatial axes that right does not depend on
  for (int a = 0; a < s.num_spatial; ++a) {
    if (a == form->vector_axis) continue;
    if (!form->right || !DependsOn(form->right, a)) shared.push_back(a);
  }
  if (!shared.empty()) form->column_axis = shared.back();
  if (shared.size() > 1) form->row_axis = shared[shared.size() - 2];
  for (int a = 0; a < s.num_spatial; ++a) {
    if (a == form->vector_axis || a == form->column_axis || a == form->row_axis) continue;
    form->outer_axes.push_back(a);
    if (form->right && DependsOn(form->right, a)) form->right_outer_axes.push_back(a);
  }
  for (int a = s.num_spatial; a < s.num_axes(); ++a) {
    form->reduce_axes.push_back(a);
    if (form->split_axis < 0 || s.extents[a] >= s.extents[form->split_axis]) form->split_axis = a;
  }
}

// The epilogue must load the reduced tensor exactly at its own point.
bool EpilogueFits(const TiledForm& form) {
  const Expr& value = form.epilogue->value;
  bool fits = form.epilogue->num_spatial == form.reduce.num_spatial &&
              form.epilogue->extents.size() == static_cast<size_t>(form.reduce.num_spatial);
  const std::optional<Affine> own = AsAffine(form.reduce.output_index, form.reduce.num_spatial);
  if (!own) return false;
  expr::Visit(value, [&](const ExprNode& node) {
    if (node.op != ExprOp::kLoad || node.id != form.reduce.output) return;
    const std::optional<Affine> at = AsAffine(node.args[0], form.reduce.num_spatial);
    fits &= at && *at == *own;
  });
  return fits;
}

}  // namespace

int64_t TiledForm::ReductionLength() const {
  int64_t length = 1;
  for (int axis : reduce_axes) length *= reduce.extents[axis];
  return length;
}

std::optional<TiledForm> AnalyseTiled(const Workload& original, bool pad) {
  if (original.stages.empty() || original.stages.size() > 2 || original.stages[0].reduction == Reduction::kNone)
    return std::nullopt;
  if (original.stages.size() == 2) {
    const Stage& epilogue = original.stages[1];
    if (epilogue.reduction != Reduction::kNone || epilogue.axes.size() != original.stages[0].axes.size())
      return std::nullopt;
    for (size_t i = 0; i < epilogue.axes.size(); ++i)
      if (epilogue.axes[i].extent != original.stages[0].axes[i].extent) return std::nullopt;
    if (original.tensors[original.stages[0].output].role != TensorRole::kTemporary) return std::nullopt;
  }
  Workload workload = original;
  TiledForm form;
  if (pad) {
    std::optional<Workload> padded = PadOperand(original);
    if (!padded) return std::nullopt;
    workload = std::move(*padded);
    form.pad_copy = Flatten(workload, workload.stages[0]);
    FuseAxes({&*form.pad_copy});
    workload.stages.erase(workload.stages.begin());
  }
  form.tensors = workload.tensors;
  if (form.tensors[workload.stages[0].output].dtype != DType::kF32) return std::nullopt;
  form.reduce = Flatten(workload, workload.stages[0]);
  std::vector<FlatStage*> stages = {&form.reduce};
  if (workload.stages.size() == 2) {
    form.epilogue = Flatten(workload, workload.stages[1]);
    stages.push_back(&*form.epilogue);
  }
  FuseAxes(stages);
  FuseShortGroups(stages, kShortGroup);
  if (form.reduce.num_spatial == 0) return std::nullopt;
  form.result = form.epilogue ? form.epilogue->output : form.reduce.output;
  form.result_index = form.epilogue ? form.epilogue->output_index : form.reduce.output_index;
  if (form.epilogue && !EpilogueFits(form)) return std::nullopt;
  form.vector_axis = VectorAxis(form);
  if (form.vector_axis < 0) return std::nullopt;
  ChooseOperands(&form);
  ChooseAxes(&form);
  if (form.right && (form.tensors[form.right_tensor].dtype != DType::kF32)) return std::nullopt;
  return form;
}

}  // namespace tilth
