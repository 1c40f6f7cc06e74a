// Transposed convolution: the outputs at equal distance modulo the stride make an ordinary convolution of stride 1 with
// a part of the taps each, so that nothing is computed that is known to be zero.
#include <algorithm>
#include <numeric>
#include <tuple>

#include "base/math.h"
#include "compiler/onnx/op_context.h"
#include "compiler/onnx/registry.h"
#include "compiler/onnx/window.h"

namespace tilth {
namespace {

struct TransposedAxis {
  int64_t input = 1, output = 1, kernel = 1, stride = 1, dilation = 1, pad_begin = 0;
};

// The outputs stride * q + offset of one axis: output q sums over `taps` taps u the input q + first + u * step times
// the weight last_tap - u * tap_step.
struct Phase {
  int64_t offset = 0, positions = 0;
  int64_t taps = 0;  // 0: no input reaches these outputs
  int64_t first = 0, step = 1;
  int64_t last_tap = 0, tap_step = 1;
};

std::vector<Phase> PhasesOf(const TransposedAxis& axis) {
  std::vector<Phase> phases;
  for (int64_t offset = 0; offset < std::min(axis.stride, axis.output); ++offset) {
    Phase phase;
    phase.offset = offset;
    phase.positions = CeilDiv(axis.output - offset, axis.stride);
    phase.tap_step = axis.stride / std::gcd(axis.stride, axis.dilation);
    phase.step = phase.tap_step * axis.dilation / axis.stride;
    for (int64_t tap = 0; tap < axis.kernel; ++tap) {
      const int64_t shift = offset + axis.pad_begin - tap * axis.dilation;
      if (shift % axis.stride != 0) continue;
      ++phase.taps;
      phase.last_tap = tap;
      phase.first = shift / axis.stride;
    }
    phases.push_back(phase);
  }
  return phases;
}

// Sets output and pad_begin from what the attributes give.
Status ResolvePadding(const OpContext& op, const std::string& auto_pad, int64_t pad_end, int64_t output_padding,
                      int64_t output_shape, TransposedAxis* axis) {
  const int64_t whole = axis->stride * (axis->input - 1) + output_padding + (axis->kernel - 1) * axis->dilation + 1;
  const bool same = auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER";
  if (output_shape > 0 || same) {
    axis->output = output_shape > 0 ? output_shape : axis->input * axis->stride;
    const int64_t total = std::max<int64_t>(0, whole - axis->output);
    axis->pad_begin = auto_pad == "SAME_UPPER" ? total / 2 : total - total / 2;
  } else {
    axis->output = whole - axis->pad_begin - pad_end;
  }
  if (axis->output < 1) return op.Error("the padding leaves no output");
  return absl::OkStatus();
}

StatusOr<std::vector<TransposedAxis>> ReadAxes(OpContext& op, const Extents& input, const Extents& kernel) {
  const size_t rank = input.size();
  TILTH_ASSIGN_OR_RETURN(const WindowAttributes window, ReadWindowAttributes(op, rank, kernel));
  const Extents output_padding = op.Ints("output_padding", Extents(rank, 0));
  Extents output_shape = op.Ints("output_shape", Extents(rank, 0));
  if (output_shape.size() == rank + 2) output_shape.erase(output_shape.begin(), output_shape.begin() + 2);
  if (output_padding.size() != rank || output_shape.size() != rank)
    return op.Error("output_padding or output_shape do not fit ", rank, " spatial dimensions");
  std::vector<TransposedAxis> axes(rank);
  for (size_t i = 0; i < rank; ++i) {
    for (int64_t value : {output_padding[i], output_shape[i]})
      if (value < 0 || value > kMaxWindow)
        return op.Error("output_padding and output_shape must lie in 0 … ", kMaxWindow);
    axes[i] = {input[i], 1, kernel[i], window.strides[i], window.dilations[i], window.pad_begin[i]};
    TILTH_RETURN_IF_ERROR(
        ResolvePadding(op, window.auto_pad, window.pad_end[i], output_padding[i], output_shape[i], &axes[i]));
  }
  return axes;
}

struct ConvTranspose {
  int x, weights, bias = -1;
  int y;
  int64_t batch, groups, group_channels, group_filters;
  std::vector<TransposedAxis> axes;
};

StatusOr<ConvTranspose> ReadConvTranspose(OpContext& op) {
  ConvTranspose conv;
  TILTH_ASSIGN_OR_RETURN(std::tie(conv.x, conv.weights), ReadConvOperands(op));
  const Extents x = op.Shape(conv.x), w = op.Shape(conv.weights);
  conv.batch = x[0];
  conv.groups = op.Int("group", 1);
  if (conv.groups < 1 || x[1] % conv.groups != 0 || w[0] != x[1]) {
    return op.Error("input ", ShapeText(x), ", weights ", ShapeText(w), " and group ", conv.groups, " do not fit");
  }
  conv.group_channels = x[1] / conv.groups;
  conv.group_filters = w[1];
  TILTH_ASSIGN_OR_RETURN(conv.axes, ReadAxes(op, Extents(x.begin() + 2, x.end()), Extents(w.begin() + 2, w.end())));
  Extents shape = {conv.batch, conv.groups * conv.group_filters};
  for (const TransposedAxis& axis : conv.axes) shape.push_back(axis.output);
  if (op.HasInput(2)) {
    TILTH_ASSIGN_OR_RETURN(conv.bias, op.FloatInput(2));
    if (op.Shape(conv.bias) != Extents{shape[1]}) return op.Error("bias must have shape [", shape[1], "]");
  }
  TILTH_ASSIGN_OR_RETURN(conv.y, op.NewTensor(op.TypeOf(conv.x), shape));
  return conv;
}

// The sums of one phase of every axis, a dense tensor of their own, or -1 where no input reaches.
StatusOr<int> AddSums(OpContext& op, const ConvTranspose& conv, const std::vector<Phase>& phase) {
  if (std::any_of(phase.begin(), phase.end(), [](const Phase& p) { return p.taps == 0; })) return -1;
  int next = 0;
  auto axis = [&](std::vector<Axis>* list, std::string name, int64_t extent) {
    list->push_back({std::move(name), extent});
    return expr::Index(next++);
  };
  std::vector<Axis> axes, reduce_axes;
  const Expr n = axis(&axes, "n", conv.batch);
  const Expr group = conv.groups == 1 ? expr::Int(0) : axis(&axes, "g", conv.groups);
  const Expr filter = axis(&axes, "o", conv.group_filters);
  std::vector<Expr> positions, taps;
  for (size_t i = 0; i < phase.size(); ++i) positions.push_back(axis(&axes, StrCat("h", i), phase[i].positions));
  for (size_t i = 0; i < phase.size(); ++i) taps.push_back(axis(&reduce_axes, StrCat("r", i), phase[i].taps));
  const Expr channel =
      expr::Add(expr::Mul(group, expr::Int(conv.group_channels)), axis(&reduce_axes, "c", conv.group_channels));
  const Expr out_channel = expr::Add(expr::Mul(group, expr::Int(conv.group_filters)), filter);
  std::vector<Expr> x_index = {n, channel}, w_index = {channel, filter}, store = {n, out_channel};
  Extents shape = {conv.batch, conv.groups * conv.group_filters};
  Expr inside = expr::Bool(true);
  for (size_t i = 0; i < phase.size(); ++i) {
    const Phase& p = phase[i];
    const Expr at = expr::Add(expr::Add(positions[i], expr::Mul(taps[i], expr::Int(p.step))), expr::Int(p.first));
    const int64_t last = p.positions - 1 + (p.taps - 1) * p.step + p.first;
    inside = expr::And(inside, InRange(at, p.first, last, conv.axes[i].input));
    x_index.push_back(at);
    w_index.push_back(expr::Sub(expr::Int(p.last_tap), expr::Mul(taps[i], expr::Int(p.tap_step))));
    store.push_back(positions[i]);
    shape.push_back(p.positions);
  }
  const Expr x = expr::Select(inside, op.Load(conv.x, std::move(x_index)), expr::Float(0));
  TILTH_ASSIGN_OR_RETURN(const int sums, op.NewTensor(op.TypeOf(conv.x), shape));
  op.AddReduction(sums, std::move(axes), std::move(store), Reduction::kSum, std::move(reduce_axes),
                  expr::Mul(x, op.Load(conv.weights, std::move(w_index))));
  op.MarkImage(sums);
  return sums;
}

// Stores them where they belong, with the bias.
void StorePhase(OpContext& op, const ConvTranspose& conv, const std::vector<Phase>& phase, int sums) {
  const int rank = static_cast<int>(phase.size()) + 2;
  Extents shape = {conv.batch, conv.groups * conv.group_filters};
  std::vector<Expr> store = {expr::Index(0), expr::Index(1)};
  for (size_t i = 0; i < phase.size(); ++i) {
    shape.push_back(phase[i].positions);
    store.push_back(expr::Add(expr::Mul(expr::Index(static_cast<int>(i) + 2), expr::Int(conv.axes[i].stride)),
                              expr::Int(phase[i].offset)));
  }
  Expr value = sums < 0 ? expr::Float(0) : op.Load(sums, IdentityIndex(rank));
  if (conv.bias >= 0) value = expr::Add(value, op.Load(conv.bias, {expr::Index(1)}));
  op.AddStage(conv.y, AxesOf(shape), std::move(store), value);
}

Status ImportConvTranspose(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const ConvTranspose conv, ReadConvTranspose(op));
  std::vector<std::vector<Phase>> phases;
  std::vector<int64_t> counts;
  int64_t total = 1;
  for (const TransposedAxis& axis : conv.axes) {
    phases.push_back(PhasesOf(axis));
    counts.push_back(static_cast<int64_t>(phases.back().size()));
    total *= counts.back();
    if (total > 4096) return op.Error("strides this large are not supported");
  }
  op.MarkImage(conv.x);
  for (int64_t number = 0; number < total; ++number) {
    std::vector<Phase> phase(phases.size());
    int64_t rest = number;
    for (size_t i = phases.size(); i-- > 0;) {
      phase[i] = phases[i][rest % counts[i]];
      rest /= counts[i];
    }
    TILTH_ASSIGN_OR_RETURN(const int sums, AddSums(op, conv, phase));
    StorePhase(op, conv, phase, sums);
  }
  op.MarkImage(conv.y);
  op.SetOutput(0, conv.y);
  return absl::OkStatus();
}

constexpr OperatorEntry kOperators[] = {{"ConvTranspose", 1, ImportConvTranspose}};

}  // namespace

std::span<const OperatorEntry> TransposedConvolutionOperators() { return kOperators; }

}  // namespace tilth
