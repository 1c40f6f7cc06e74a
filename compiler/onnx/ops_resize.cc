// Resize and Upsample, one dimension after the other: each output position is a weighted sum of one (nearest), two
// (linear) or four (cubic) positions of the input, which are known at import.
#include <algorithm>
#include <array>
#include <cmath>

#include "compiler/onnx/op_context.h"
#include "compiler/onnx/registry.h"

namespace tilth {
namespace {

constexpr int64_t kMaxExtent = 1 << 20;  // of the results' dimensions: each has tables of its length

struct ResizeRule {
  std::string mode;        // nearest, linear, cubic
  std::string coordinate;  // coordinate_transformation_mode
  std::string nearest;     // nearest_mode
  double cubic_a = -0.75;
  bool exclude_outside = false;
};

// One of the sums' terms: for each output position an input position and its weight.
struct Term {
  std::vector<int64_t> index;
  std::vector<double> weight;
};

double InputCoordinate(const ResizeRule& rule, int64_t at, double scale, int64_t input, int64_t output) {
  const auto x = static_cast<double>(at);
  if (rule.coordinate == "asymmetric") return x / scale;
  if (rule.coordinate == "align_corners") {
    // ONNX means the length before it is rounded down to an integer.
    return output == 1 ? 0 : x * static_cast<double>(input - 1) / (static_cast<double>(input) * scale - 1);
  }
  if (rule.coordinate == "tf_half_pixel_for_nn") return (x + 0.5) / scale;
  if (rule.coordinate == "pytorch_half_pixel" && output == 1) return 0;
  return (x + 0.5) / scale - 0.5;
}

double RoundedBy(const std::string& nearest_mode, double x) {
  if (nearest_mode == "floor") return std::floor(x);
  if (nearest_mode == "ceil") return std::ceil(x);
  return nearest_mode == "round_prefer_ceil" ? std::floor(x + 0.5) : std::ceil(x - 0.5);
}

// Weights of the positions floor(x) - 1 … floor(x) + 2, where x lies `fraction` behind floor(x). Keys' kernel.
std::array<double, 4> CubicWeights(double a, double fraction) {
  const auto near = [&](double d) { return ((a + 2) * d - (a + 3)) * d * d + 1; };
  const auto far = [&](double d) { return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a; };
  return {far(1 + fraction), near(fraction), near(1 - fraction), far(2 - fraction)};
}

std::vector<Term> TermsOf(const ResizeRule& rule, int64_t input, int64_t output, double scale) {
  const size_t count = rule.mode == "nearest" ? 1 : rule.mode == "linear" ? 2 : 4;
  std::vector<Term> terms(count);
  for (int64_t at = 0; at < output; ++at) {
    const double x = InputCoordinate(rule, at, scale, input, output), base = std::floor(x), fraction = x - base;
    std::array<double, 4> weights = {1, 0, 0, 0};
    auto first = static_cast<int64_t>(base);
    if (count == 1) first = static_cast<int64_t>(RoundedBy(rule.nearest, x));
    if (count == 2) weights = {1 - fraction, fraction, 0, 0};
    if (count == 4) {
      weights = CubicWeights(rule.cubic_a, fraction);
      --first;
    }
    double sum = 0;
    for (size_t t = 0; t < count; ++t) {
      const int64_t position = first + static_cast<int64_t>(t);
      if (rule.exclude_outside && (position < 0 || position >= input)) weights[t] = 0;
      sum += weights[t];
    }
    for (size_t t = 0; t < count; ++t) {
      terms[t].index.push_back(std::clamp<int64_t>(first + static_cast<int64_t>(t), 0, input - 1));
      terms[t].weight.push_back(rule.exclude_outside ? weights[t] / sum : weights[t]);
    }
  }
  return terms;
}

// The positions as an expression of the output position: a division where they are one, else a table.
Expr IndexExpression(OpContext& op, const std::vector<int64_t>& index, const Expr& at) {
  const auto count = static_cast<int64_t>(index.size());
  const int64_t repeat = std::upper_bound(index.begin(), index.end(), index[0]) - index.begin();
  bool divides = true;
  for (int64_t i = 0; i < count; ++i) divides &= index[i] == i / repeat;
  if (divides) return expr::FloorDiv(at, repeat);
  return op.Load(op.NewConstant(DType::kI64, {count}, std::vector<double>(index.begin(), index.end())), {at});
}

StatusOr<int> ResizeDimension(OpContext& op, const ResizeRule& rule, int x, int dimension, int64_t output,
                              double scale) {
  Extents shape = op.Shape(x);
  const std::vector<Term> terms = TermsOf(rule, shape[dimension], output, scale);
  const Expr at = expr::Index(dimension);
  shape[dimension] = output;
  std::vector<Expr> index = IdentityIndex(static_cast<int>(shape.size()));
  Expr sum;
  for (const Term& term : terms) {
    index[dimension] = IndexExpression(op, term.index, at);
    Expr value = op.Load(x, index);
    if (terms.size() > 1) {
      value = expr::Mul(value, op.Load(op.NewConstant(DType::kF32, {output}, term.weight), {at}));
    }
    sum = sum == nullptr ? value : expr::Add(sum, value);
  }
  return op.AddElementwise(op.TypeOf(x), shape, sum);
}

Status ResizeAll(OpContext& op, int x, const ResizeRule& rule, const std::vector<double>& scales,
                 const Extents& output) {
  if (rule.mode != "nearest" && rule.mode != "linear" && rule.mode != "cubic") {
    return op.Error("mode '", rule.mode, "' is not known");
  }
  for (size_t d = 0; d < output.size(); ++d) {
    if (output[d] < 1 || output[d] > kMaxExtent) {
      return op.Error("dimension ", d, " of the result would be ", output[d], "; it must lie in 1 … ", kMaxExtent);
    }
  }
  if (rule.mode != "nearest" && !IsFloat(op.TypeOf(x))) return op.Error("mode '", rule.mode, "' wants floats");
  const bool is_image = op.Rank(x) >= 3;
  int y = x;
  for (int d = 0; d < op.Rank(x); ++d) {
    // A scale of 1 may still move positions, but by none of the rules does.
    if (output[d] == op.Shape(x)[d] && scales[d] == 1) continue;
    if (is_image) op.MarkImage(y);
    TILTH_ASSIGN_OR_RETURN(y, ResizeDimension(op, rule, y, d, output[d], scales[d]));
    if (is_image) op.MarkImage(y);
  }
  if (y == x) {
    TILTH_ASSIGN_OR_RETURN(y, op.AddReshape(x, op.Shape(x)));
  }
  op.SetOutput(0, y);
  return absl::OkStatus();
}

// Scales and output extents from either; the numbers are positive.
Status ScalesOf(OpContext& op, int x, const std::vector<double>& given, std::vector<double>* scales, Extents* output) {
  if (static_cast<int>(given.size()) != op.Rank(x)) {
    return op.Error(given.size(), " scales for an input of rank ", op.Rank(x));
  }
  for (size_t d = 0; d < given.size(); ++d) {
    if (!(given[d] > 0) || given[d] > kMaxExtent) return op.Error("scale ", given[d], " of dimension ", d);
    output->push_back(static_cast<int64_t>(std::floor(static_cast<double>(op.Shape(x)[d]) * given[d])));
  }
  *scales = given;
  return absl::OkStatus();
}

StatusOr<std::vector<double>> ConstantFloats(const OpContext& op, int i) {
  TILTH_ASSIGN_OR_RETURN(const int tensor, op.Input(i));
  const TensorValue* value = op.Constant(tensor);
  if (value == nullptr) return op.Error("input ", i, " must be constant, but depends on the model's inputs");
  std::vector<double> numbers(NumElements(value->shape));
  for (size_t e = 0; e < numbers.size(); ++e) numbers[e] = value->Get(static_cast<int64_t>(e));
  return numbers;
}

Status ImportResize(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const int x, op.Input(0));
  ResizeRule rule;
  rule.mode = op.String("mode", "nearest");
  rule.coordinate = op.String("coordinate_transformation_mode", op.opset() < 11 ? "asymmetric" : "half_pixel");
  rule.nearest = op.String("nearest_mode", op.opset() < 11 ? "floor" : "round_prefer_floor");
  rule.cubic_a = op.Float("cubic_coeff_a", -0.75f);
  rule.exclude_outside = op.Int("exclude_outside", 0) != 0;
  op.Ignore("extrapolation_value");  // of tf_crop_and_resize, which is refused
  for (const std::string_view known :
       {"half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_half_pixel_for_nn", ""}) {
    if (known.empty()) return op.Error("coordinate_transformation_mode '", rule.coordinate, "' is not supported");
    if (rule.coordinate == known) break;
  }
  std::vector<double> scales;
  Extents output;
  if (op.HasInput(3)) {
    TILTH_ASSIGN_OR_RETURN(output, op.ConstantInts(3));
    if (static_cast<int>(output.size()) != op.Rank(x)) {
      return op.Error(output.size(), " sizes for an input of rank ", op.Rank(x));
    }
    for (size_t d = 0; d < output.size(); ++d) {
      scales.push_back(static_cast<double>(output[d]) / static_cast<double>(op.Shape(x)[d]));
    }
  } else {
    TILTH_ASSIGN_OR_RETURN(const std::vector<double> given, ConstantFloats(op, op.opset() < 11 ? 1 : 2));
    TILTH_RETURN_IF_ERROR(ScalesOf(op, x, given, &scales, &output));
  }
  return ResizeAll(op, x, rule, scales, output);
}

Status ImportUpsample(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const int x, op.Input(0));
  const ResizeRule rule = {.mode = op.String("mode", "nearest"), .coordinate = "asymmetric", .nearest = "floor"};
  TILTH_ASSIGN_OR_RETURN(const std::vector<double> given, ConstantFloats(op, 1));
  std::vector<double> scales;
  Extents output;
  TILTH_RETURN_IF_ERROR(ScalesOf(op, x, given, &scales, &output));
  return ResizeAll(op, x, rule, scales, output);
}

constexpr OperatorEntry kOperators[] = {{"Resize", 10, ImportResize}, {"Upsample", 9, ImportUpsample}};

}  // namespace

std::span<const OperatorEntry> ResizingOperators() { return kOperators; }

}  // namespace tilth
