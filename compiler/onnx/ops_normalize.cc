// Normalisations: over batches (inference only), channels, rows.
#include <cmath>

#include "compiler/onnx/op_context.h"
#include "compiler/onnx/registry.h"

namespace tilth {
namespace {

using expr::Binary;
using expr::Float;
using expr::Unary;

// The constant parameters of a batch normalisation become y = x * a + b, which the graph passes fold into weights.
Status ImportBatchNormalization(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const int x, op.FloatInput(0));
  if (op.Int("training_mode", 0) != 0) return op.Error("training_mode=1 is not supported");
  op.Ignore("momentum");
  op.Ignore("spatial");
  const float epsilon = op.Float("epsilon", 1e-5f);
  const Extents shape = op.Shape(x);
  if (shape.size() < 2) return op.Error("its input must have a channel dimension");
  const Extents channels = {shape[1]};
  int parameters[4];
  bool constant = true;
  for (int i = 0; i < 4; ++i) {
    TILTH_ASSIGN_OR_RETURN(parameters[i], op.FloatInput(1 + i));
    if (op.Shape(parameters[i]) != channels) return op.Error("input ", 1 + i, " must have shape ", ShapeText(channels));
    constant &= op.Constant(parameters[i]) != nullptr;
  }
  const std::vector<Expr> channel = {expr::Index(1)};
  const Expr element = op.Load(x, IdentityIndex(static_cast<int>(shape.size())));
  Expr a, b;
  if (constant) {
    std::vector<double> factors, offsets;
    for (int64_t c = 0; c < shape[1]; ++c) {
      const auto parameter = [&](int i) { return op.Constant(parameters[i])->Get(c); };
      factors.push_back(parameter(0) / std::sqrt(parameter(3) + epsilon));
      offsets.push_back(parameter(1) - parameter(2) * factors.back());
    }
    a = op.Load(op.NewConstant(DType::kF32, channels, factors), channel);
    b = op.Load(op.NewConstant(DType::kF32, channels, offsets), channel);
  } else {
    const auto parameter = [&](int i) { return op.Load(parameters[i], channel); };
    a = Binary(ExprOp::kDiv, parameter(0), Unary(ExprOp::kSqrt, expr::Add(parameter(3), Float(epsilon))));
    b = expr::Sub(parameter(1), expr::Mul(parameter(2), a));
  }
  TILTH_ASSIGN_OR_RETURN(const int y, op.AddElementwise(op.TypeOf(x), shape, expr::Add(expr::Mul(element, a), b)));
  if (shape.size() >= 3 && shape.size() <= 5) {
    op.MarkImage(x);
    op.MarkImage(y);
  }
  op.SetOutput(0, y);
  return absl::OkStatus();
}

// y = x / (bias + alpha / size * sum over neighbouring channels of x^2) ^ beta
Status ImportLrn(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const int x, op.FloatInput(0));
  const Extents shape = op.Shape(x);
  const int rank = static_cast<int>(shape.size());
  const int64_t size = op.Int("size", 0);
  if (rank < 2 || size < 1 || size > shape[1] + (int64_t{1} << 20))
    return op.Error("size ", size, " does not fit input ", ShapeText(shape));
  const float alpha = op.Float("alpha", 1e-4f), beta = op.Float("beta", 0.75f), bias = op.Float("bias", 1);
  const int64_t before = (size - 1) / 2;
  std::vector<Expr> index = IdentityIndex(rank);
  index[1] = expr::Sub(expr::Add(expr::Index(1), expr::Index(rank)), expr::Int(before));
  const Expr neighbour =
      expr::Select(InRange(index[1], -before, shape[1] - 1 + size - 1 - before, shape[1]), op.Load(x, index), Float(0));
  TILTH_ASSIGN_OR_RETURN(const int sum, op.NewTensor(op.TypeOf(x), shape));
  op.AddReduction(sum, AxesOf(shape), IdentityIndex(rank), Reduction::kSum, {{"c", size}},
                  expr::Mul(neighbour, neighbour));
  const Expr scale =
      expr::Add(Float(bias), expr::Mul(op.LoadBroadcast(sum, shape), Float(alpha / static_cast<float>(size))));
  const Expr value = expr::Mul(op.LoadBroadcast(x, shape), Binary(ExprOp::kPow, scale, Float(-beta)));
  TILTH_ASSIGN_OR_RETURN(const int y, op.AddElementwise(op.TypeOf(x), shape, value));
  for (int tensor : {x, sum, y}) {
    if (rank >= 3 && rank <= 5) op.MarkImage(tensor);
  }
  op.SetOutput(0, y);
  return absl::OkStatus();
}

// Reduces the dimensions marked in `reduced`, keeping them with extent 1.
StatusOr<int> AddKeptReduction(OpContext& op, int x, const std::vector<bool>& reduced, Reduction reduction) {
  const Extents in = op.Shape(x);
  Extents shape = in;
  std::vector<Axis> axes, reduce_axes;
  std::vector<Expr> load(in.size()), store(in.size(), expr::Int(0));
  for (size_t d = 0; d < in.size(); ++d) {
    if (reduced[d]) continue;
    store[d] = load[d] = expr::Index(static_cast<int>(axes.size()));
    axes.push_back({StrCat("i", d), in[d]});
  }
  for (size_t d = 0; d < in.size(); ++d) {
    if (!reduced[d]) continue;
    load[d] = expr::Index(static_cast<int>(axes.size() + reduce_axes.size()));
    reduce_axes.push_back({StrCat("r", d), in[d]});
    shape[d] = 1;
  }
  TILTH_ASSIGN_OR_RETURN(const int y, op.NewTensor(op.TypeOf(x), shape));
  op.AddReduction(y, std::move(axes), std::move(store), reduction, std::move(reduce_axes), op.Load(x, std::move(load)));
  return y;
}

// Softmax and its logarithm over the dimensions marked in `reduced`: maximum, exponentials, their sum, result.
StatusOr<int> AddSoftmax(OpContext& op, int x, const std::vector<bool>& reduced, bool logarithm) {
  const Extents shape = op.Shape(x);
  TILTH_ASSIGN_OR_RETURN(const int maximum, AddKeptReduction(op, x, reduced, Reduction::kMax));
  const Expr shifted = expr::Sub(op.LoadBroadcast(x, shape), op.LoadBroadcast(maximum, shape));
  TILTH_ASSIGN_OR_RETURN(const int powers, op.AddElementwise(op.TypeOf(x), shape, Unary(ExprOp::kExp, shifted)));
  TILTH_ASSIGN_OR_RETURN(const int sum, AddKeptReduction(op, powers, reduced, Reduction::kSum));
  if (logarithm) {
    const Expr total = op.LoadBroadcast(sum, shape);
    return op.AddElementwise(op.TypeOf(x), shape, expr::Sub(shifted, Unary(ExprOp::kLog, total)));
  }
  // One division for all of a row; the sum is at least 1.
  const Extents kept = op.Shape(sum);
  TILTH_ASSIGN_OR_RETURN(
      const int inverse,
      op.AddElementwise(op.TypeOf(x), kept, Binary(ExprOp::kDiv, Float(1), op.LoadBroadcast(sum, kept))));
  return op.AddElementwise(op.TypeOf(x), shape,
                           expr::Mul(op.LoadBroadcast(powers, shape), op.LoadBroadcast(inverse, shape)));
}

// From opset 13 on over one axis; before, over all dimensions from `axis` on.
template <bool kLogarithm, bool kOneAxis>
Status ImportSoftmax(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const int x, op.FloatInput(0));
  const int rank = op.Rank(x);
  std::vector<bool> reduced(rank, false);
  TILTH_ASSIGN_OR_RETURN(const int first, op.NormalizeAxis(op.Int("axis", kOneAxis ? -1 : 1), rank));
  for (int d = first; d < (kOneAxis ? first + 1 : rank); ++d) reduced[d] = true;
  TILTH_ASSIGN_OR_RETURN(const int y, AddSoftmax(op, x, reduced, kLogarithm));
  op.SetOutput(0, y);
  return absl::OkStatus();
}

// The mean over the marked dimensions and 1 / sqrt(variance + epsilon), both with those dimensions kept at extent 1,
// and the centred input.
struct Moments {
  int mean, inverse_deviation, centred;
};

StatusOr<Moments> AddMoments(OpContext& op, int x, const std::vector<bool>& reduced, float epsilon) {
  const Extents shape = op.Shape(x);
  double count = 1;
  for (size_t d = 0; d < shape.size(); ++d) {
    if (reduced[d]) count *= static_cast<double>(shape[d]);
  }
  Moments moments;
  TILTH_ASSIGN_OR_RETURN(const int sum, AddKeptReduction(op, x, reduced, Reduction::kSum));
  const Extents kept = op.Shape(sum);
  TILTH_ASSIGN_OR_RETURN(
      moments.mean, op.AddElementwise(DType::kF32, kept, expr::Mul(op.LoadBroadcast(sum, kept), Float(1 / count))));
  const Expr centred = expr::Sub(op.LoadBroadcast(x, shape), op.LoadBroadcast(moments.mean, shape));
  TILTH_ASSIGN_OR_RETURN(moments.centred, op.AddElementwise(DType::kF32, shape, centred));
  const Expr element = op.LoadBroadcast(moments.centred, shape);
  TILTH_ASSIGN_OR_RETURN(const int squares, op.AddElementwise(DType::kF32, shape, expr::Mul(element, element)));
  TILTH_ASSIGN_OR_RETURN(const int variance, AddKeptReduction(op, squares, reduced, Reduction::kSum));
  const Expr deviation =
      Unary(ExprOp::kSqrt, expr::Add(expr::Mul(op.LoadBroadcast(variance, kept), Float(1 / count)), Float(epsilon)));
  TILTH_ASSIGN_OR_RETURN(moments.inverse_deviation,
                         op.AddElementwise(DType::kF32, kept, Binary(ExprOp::kDiv, Float(1), deviation)));
  return moments;
}

Status ImportLayerNormalization(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const int x, op.FloatInput(0));
  TILTH_ASSIGN_OR_RETURN(const int scale, op.FloatInput(1));
  const Extents shape = op.Shape(x);
  op.Ignore("stash_type");
  TILTH_ASSIGN_OR_RETURN(const int axis, op.NormalizeAxis(op.Int("axis", -1), static_cast<int>(shape.size())));
  std::vector<bool> reduced(shape.size(), false);
  for (size_t d = axis; d < shape.size(); ++d) reduced[d] = true;
  TILTH_ASSIGN_OR_RETURN(const Moments moments, AddMoments(op, x, reduced, op.Float("epsilon", 1e-5f)));
  Expr value = expr::Mul(op.LoadBroadcast(moments.centred, shape), op.LoadBroadcast(moments.inverse_deviation, shape));
  value = expr::Mul(value, op.LoadBroadcast(scale, shape));
  TILTH_ASSIGN_OR_RETURN(Extents broadcast, BroadcastShapes(shape, op.Shape(scale)));
  if (op.HasInput(2)) {
    TILTH_ASSIGN_OR_RETURN(const int bias, op.FloatInput(2));
    TILTH_ASSIGN_OR_RETURN(broadcast, BroadcastShapes(broadcast, op.Shape(bias)));
    value = expr::Add(value, op.LoadBroadcast(bias, shape));
  }
  if (broadcast != shape) return op.Error("scale and bias do not broadcast to ", ShapeText(shape));
  TILTH_ASSIGN_OR_RETURN(const int y, op.AddElementwise(op.TypeOf(x), shape, value));
  op.SetOutput(0, y);
  if (op.WantsOutput(1)) op.SetOutput(1, moments.mean);
  if (op.WantsOutput(2)) op.SetOutput(2, moments.inverse_deviation);
  return absl::OkStatus();
}

Status ImportInstanceNormalization(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const int x, op.FloatInput(0));
  TILTH_ASSIGN_OR_RETURN(const int scale, op.FloatInput(1));
  TILTH_ASSIGN_OR_RETURN(const int bias, op.FloatInput(2));
  const Extents shape = op.Shape(x);
  if (shape.size() < 3 || op.Shape(scale) != Extents{shape[1]} || op.Shape(bias) != Extents{shape[1]}) {
    return op.Error("input ", ShapeText(shape), " does not fit scale and bias, one per channel");
  }
  std::vector<bool> reduced(shape.size(), true);
  reduced[0] = reduced[1] = false;
  TILTH_ASSIGN_OR_RETURN(const Moments moments, AddMoments(op, x, reduced, op.Float("epsilon", 1e-5f)));
  const Expr normal =
      expr::Mul(op.LoadBroadcast(moments.centred, shape), op.LoadBroadcast(moments.inverse_deviation, shape));
  const std::vector<Expr> channel = {expr::Index(1)};
  const Expr value = expr::Add(expr::Mul(normal, op.Load(scale, channel)), op.Load(bias, channel));
  TILTH_ASSIGN_OR_RETURN(const int y, op.AddElementwise(op.TypeOf(x), shape, value));
  if (shape.size() <= 5) {
    for (int tensor : {x, y, moments.centred, moments.mean, moments.inverse_deviation}) op.MarkImage(tensor);
  }
  op.SetOutput(0, y);
  return absl::OkStatus();
}

constexpr OperatorEntry kOperators[] = {
    {"BatchNormalization", 7, ImportBatchNormalization},  {"LRN", 1, ImportLrn},
    {"Softmax", 1, ImportSoftmax<false, false>},          {"Softmax", 13, ImportSoftmax<false, true>},
    {"LogSoftmax", 1, ImportSoftmax<true, false>},        {"LogSoftmax", 13, ImportSoftmax<true, true>},
    {"LayerNormalization", 17, ImportLayerNormalization}, {"InstanceNormalization", 6, ImportInstanceNormalization},
};

}  // namespace

std::span<const OperatorEntry> NormalizationOperators() { return kOperators; }

}  // namespace tilth
