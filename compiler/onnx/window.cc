#include "compiler/onnx/window.h"

#include <algorithm>

#include "base/math.h"

namespace tilth {
namespace {

// Sets the output extent, and the padding where auto_pad asks for it.
Status Resolve(const OpContext& op, const std::string& auto_pad, bool ceil_mode, WindowAxis* axis) {
  const int64_t reach = (axis->kernel - 1) * axis->dilation + 1;
  if (auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER") {
    axis->output = CeilDiv(axis->input, axis->stride);
    const int64_t total = std::max<int64_t>(0, (axis->output - 1) * axis->stride + reach - axis->input);
    axis->pad_begin = auto_pad == "SAME_UPPER" ? total / 2 : total - total / 2;
    axis->pad_end = total - axis->pad_begin;
    return absl::OkStatus();
  }
  const int64_t room = axis->input + axis->pad_begin + axis->pad_end - reach;
  if (room < 0) return op.Error("the window (", reach, ") is larger than the padded input (", room + reach, ")");
  axis->output = (ceil_mode ? CeilDiv(room, axis->stride) : room / axis->stride) + 1;
  // A last window that would begin in the padding behind the input does not count.
  if (ceil_mode && (axis->output - 1) * axis->stride >= axis->input + axis->pad_begin) --axis->output;
  return absl::OkStatus();
}

}  // namespace

Expr WindowAxis::Coordinate(const Expr& position, const Expr& tap) const {
  return expr::Sub(expr::Add(expr::Mul(position, expr::Int(stride)), expr::Mul(tap, expr::Int(dilation))),
                   expr::Int(pad_begin));
}

Expr WindowAxis::Inside(const Expr& coordinate) const {
  const int64_t last = (output - 1) * stride + (kernel - 1) * dilation - pad_begin;
  return InRange(coordinate, -pad_begin, last, input);
}

int64_t WindowAxis::TapsInside(int64_t position, bool count_padding) const {
  int64_t taps = 0;
  for (int64_t tap = 0; tap < kernel; ++tap) {
    const int64_t at = position * stride + tap * dilation - pad_begin;
    taps += count_padding ? at < input + pad_end : at >= 0 && at < input;
  }
  return taps;
}

StatusOr<std::pair<int, int>> ReadConvOperands(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const int input, op.FloatInput(0));
  TILTH_ASSIGN_OR_RETURN(const int weights, op.FloatInput(1));
  const Extents x = op.Shape(input), w = op.Shape(weights);
  if (x.size() < 3 || x.size() > 5 || w.size() != x.size()) {
    return op.Error("input ", ShapeText(x), " and weights ", ShapeText(w), " must have the same rank, 3 to 5");
  }
  if (op.TypeOf(input) != op.TypeOf(weights)) return op.Error("input and weights have different element types");
  return std::pair(input, weights);
}

StatusOr<WindowAttributes> ReadWindowAttributes(OpContext& op, size_t rank, const Extents& kernel) {
  WindowAttributes window;
  window.kernel = op.Ints("kernel_shape", kernel);
  if (!kernel.empty() && window.kernel != kernel) {
    return op.Error("kernel_shape ", ShapeText(window.kernel), " does not fit weights of window ", ShapeText(kernel));
  }
  window.strides = op.Ints("strides", Extents(rank, 1));
  window.dilations = op.Ints("dilations", Extents(rank, 1));
  const Extents pads = op.Ints("pads", Extents(2 * rank, 0));
  window.auto_pad = op.String("auto_pad", "NOTSET");
  if (window.kernel.size() != rank || window.strides.size() != rank || window.dilations.size() != rank ||
      pads.size() != 2 * rank) {
    return op.Error("kernel_shape, strides, dilations or pads do not fit ", rank, " spatial dimensions");
  }
  const bool pads_given = window.auto_pad == "NOTSET";
  if (!pads_given && window.auto_pad != "VALID" && window.auto_pad != "SAME_UPPER" && window.auto_pad != "SAME_LOWER") {
    return op.Error("auto_pad '", window.auto_pad, "' is not known");
  }
  for (size_t i = 0; i < rank; ++i) {
    window.pad_begin.push_back(pads_given ? pads[i] : 0);
    window.pad_end.push_back(pads_given ? pads[rank + i] : 0);
    for (int64_t value : {window.kernel[i], window.strides[i], window.dilations[i]}) {
      if (value < 1 || value > kMaxWindow)
        return op.Error("kernel_shape, strides and dilations must lie in 1 … ", kMaxWindow);
    }
    for (int64_t value : {window.pad_begin[i], window.pad_end[i]})
      if (value < 0 || value > kMaxWindow) return op.Error("pads must lie in 0 … ", kMaxWindow);
  }
  return window;
}

StatusOr<std::vector<WindowAxis>> ReadWindow(OpContext& op, const Extents& input_spatial, Extents kernel) {
  const size_t rank = input_spatial.size();
  TILTH_ASSIGN_OR_RETURN(const WindowAttributes read, ReadWindowAttributes(op, rank, kernel));
  const bool ceil_mode = op.Int("ceil_mode", 0) != 0;
  std::vector<WindowAxis> window(rank);
  for (size_t i = 0; i < rank; ++i) {
    window[i] = {input_spatial[i], 1, read.kernel[i], read.strides[i], read.dilations[i], read.pad_begin[i],
                 read.pad_end[i]};
    TILTH_RETURN_IF_ERROR(Resolve(op, read.auto_pad, ceil_mode, &window[i]));
  }
  return window;
}

}  // namespace tilth
