#include "search_space/flat_stage.h"

#include <algorithm>
#include <utility>

namespace tilth {
namespace {

Expr FlatIndex(const std::vector<int64_t>& shape, const std::vector<Expr>& indices, int num_axes) {
  Expr flat = expr::Int(0);
  int64_t stride = 1;
  for (size_t d = shape.size(); d-- > 0;) {
    flat = expr::Add(flat, expr::Mul(indices[d], expr::Int(stride)));
    stride *= shape[d];
  }
  if (const std::optional<Affine> affine = AsAffine(flat, num_axes)) return FromAffine(*affine);
  return flat;
}

// Whether `e`, a flat index, walks axes a and a+1 as one axis of step coefficient(a+1).
bool WalksAsOne(const Expr& index, const FlatStage& stage, int a) {
  const std::optional<Affine> affine = AsAffine(index, stage.num_axes());
  if (!affine) return !DependsOn(index, a) && !DependsOn(index, a + 1);
  return affine->coefficients[a] == affine->coefficients[a + 1] * stage.extents[a + 1];
}

bool ValueWalksAsOne(const Expr& e, const FlatStage& stage, int a) {
  if (e->op == ExprOp::kIndex) return e->id != a && e->id != a + 1;
  if (e->op == ExprOp::kLoad) {
    if (WalksAsOne(e->args[0], stage, a) && AsAffine(e->args[0], stage.num_axes())) return true;
    return ValueWalksAsOne(e->args[0], stage, a);  // an index that is itself loaded
  }
  return std::all_of(e->args.begin(), e->args.end(), [&](const Expr& arg) { return ValueWalksAsOne(arg, stage, a); });
}

bool CanFuse(const FlatStage& stage, int a) {
  const bool spatial = a + 1 < stage.num_spatial;
  return (!spatial || WalksAsOne(stage.output_index, stage, a)) && ValueWalksAsOne(stage.value, stage, a);
}

void Fuse(FlatStage* stage, int a) {
  // With m = i_a * extent(a+1) + i_{a+1}, every index is the same function of (0, m) as of (i_a, i_{a+1}).
  std::vector<Expr> renamed(stage->num_axes());
  for (int i = 0; i < stage->num_axes(); ++i) renamed[i] = i == a ? expr::Int(0) : expr::Index(i > a ? i - 1 : i);
  stage->value = expr::SubstituteIndices(stage->value, renamed);
  stage->output_index = expr::SubstituteIndices(stage->output_index, renamed);
  stage->extents[a + 1] *= stage->extents[a];
  stage->extents.erase(stage->extents.begin() + a);
  if (a < stage->num_spatial) --stage->num_spatial;
}

// Whether every load walks axes a and a+1 as one or does not depend on a+1, and nothing else depends on them. Steps of
// axis a that are longer than axis a+1 would leave the lanes of a vector too far apart.
bool CanFuseGroups(const Expr& e, const FlatStage& stage, int a) {
  if (e->op == ExprOp::kIndex) return e->id != a && e->id != a + 1;
  if (e->op == ExprOp::kLoad) {
    const std::optional<Affine> affine = AsAffine(e->args[0], stage.num_axes());
    if (!affine) return false;
    const bool short_steps = affine->coefficients[a + 1] == 0 && affine->coefficients[a] <= stage.extents[a + 1];
    return short_steps || WalksAsOne(e->args[0], stage, a);
  }
  return std::all_of(e->args.begin(), e->args.end(), [&](const Expr& arg) { return CanFuseGroups(arg, stage, a); });
}

void FuseGroups(FlatStage* stage, int a) {
  stage->value = expr::Rewrite(stage->value, [&](const Expr& e) -> Expr {
    if (e->op != ExprOp::kLoad || WalksAsOne(e->args[0], *stage, a)) return nullptr;
    Affine rest = *AsAffine(e->args[0], stage->num_axes());
    const int64_t step = std::exchange(rest.coefficients[a], 0);
    // Becomes the fused axis, divided.
    const Expr group = expr::FloorDiv(expr::Index(a + 1), stage->extents[a + 1]);
    return expr::Load(e->id, e->dtype, {expr::Add(FromAffine(rest), expr::Mul(group, expr::Int(step)))});
  });
  Fuse(stage, a);
}

void DropUnitAxis(FlatStage* stage, int axis) {
  std::vector<Expr> renamed(stage->num_axes());
  for (int i = 0; i < stage->num_axes(); ++i) renamed[i] = i == axis ? expr::Int(0) : expr::Index(i > axis ? i - 1 : i);
  stage->value = expr::SubstituteIndices(stage->value, renamed);
  stage->output_index = expr::SubstituteIndices(stage->output_index, renamed);
  stage->extents.erase(stage->extents.begin() + axis);
  if (axis < stage->num_spatial) --stage->num_spatial;
}

}  // namespace

int64_t FlatStage::SpatialSize() const {
  int64_t size = 1;
  for (int i = 0; i < num_spatial; ++i) size *= extents[i];
  return size;
}

FlatStage Flatten(const Workload& workload, const Stage& stage) {
  FlatStage flat;
  flat.output = stage.output;
  flat.num_spatial = static_cast<int>(stage.axes.size());
  for (const Axis& axis : stage.axes) flat.extents.push_back(axis.extent);
  for (const Axis& axis : stage.reduce_axes) flat.extents.push_back(axis.extent);
  flat.reduction = stage.reduction;
  flat.output_index = FlatIndex(workload.tensors[stage.output].shape, stage.output_index, flat.num_axes());
  flat.value = expr::Rewrite(stage.value, [&](const Expr& e) -> Expr {
    if (e->op != ExprOp::kLoad) return nullptr;
    return expr::Load(e->id, e->dtype, {FlatIndex(workload.tensors[e->id].shape, e->args, flat.num_axes())});
  });
  return flat;
}

void DropUnitSpatialAxes(FlatStage* stage) {
  for (int a = stage->num_spatial - 1; a >= 0; --a)
    if (stage->extents[a] == 1) DropUnitAxis(stage, a);
}

void FuseAxes(std::vector<FlatStage*> stages, int first_axis) {
  for (int a = first_axis; a < stages[0]->num_spatial && stages[0]->num_spatial > first_axis + 1;) {
    if (stages[0]->extents[a] == 1) {
      for (FlatStage* stage : stages) DropUnitAxis(stage, a);
    } else if (a + 1 < stages[0]->num_spatial && stages[0]->extents[a + 1] != 1 &&
               std::all_of(stages.begin(), stages.end(), [&](FlatStage* stage) { return CanFuse(*stage, a); })) {
      for (FlatStage* stage : stages) Fuse(stage, a);
    } else {
      ++a;
    }
  }
  for (FlatStage* stage : stages) {
    for (int a = std::max(stage->num_spatial, first_axis); a < stage->num_axes();) {
      if (stage->extents[a] == 1 && stage->num_axes() > stage->num_spatial + 1)
        DropUnitAxis(stage, a);
      else if (a + 1 < stage->num_axes() && stage->extents[a + 1] != 1 && CanFuse(*stage, a))
        Fuse(stage, a);
      else
        ++a;
    }
  }
}

void FuseShortGroups(const std::vector<FlatStage*>& stages, int64_t longest) {
  for (int a = 0; a + 1 < stages[0]->num_spatial; ++a) {
    const int64_t length = stages[0]->extents[a + 1];
    if (length == 1 || length > longest || stages[0]->extents[a] == 1) continue;
    const bool fits = std::all_of(stages.begin(), stages.end(), [&](const FlatStage* stage) {
      return WalksAsOne(stage->output_index, *stage, a) && CanFuseGroups(stage->value, *stage, a);
    });
    if (!fits) continue;
    for (FlatStage* stage : stages) FuseGroups(stage, a);
    return;
  }
}

bool DependsOn(const Expr& e, int axis) {
  bool depends = false;
  expr::Visit(e, [&](const ExprNode& node) { depends |= node.op == ExprOp::kIndex && node.id == axis; });
  return depends;
}

}  // namespace tilth
