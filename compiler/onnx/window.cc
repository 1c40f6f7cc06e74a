#include "compiler/onnx/window.h"

#include <algorithm>

#include "base/math.h"

namespace tilth {
namespace {

constexpr int64_t kMaxWindow = 1 << 20;  // of kernels, strides, dilations and padding

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

StatusOr<std::vector<WindowAxis>> ReadWindow(OpContext& op, const Extents& input_spatial, Extents kernel) {
  const size_t rank = input_spatial.size();
  const Extents kernel_shape = op.Ints("kernel_shape", kernel);
  if (!kernel.empty() && kernel_shape != kernel) {
    return op.Error("kernel_shape ", ShapeText(kernel_shape), " does not fit weights of window ", ShapeText(kernel));
  }
  const Extents strides = op.Ints("strides", Extents(rank, 1)), dilations = op.Ints("dilations", Extents(rank, 1));
  const Extents pads = op.Ints("pads", Extents(2 * rank, 0));
  const std::string auto_pad = op.String("auto_pad", "NOTSET");
  const bool ceil_mode = op.Int("ceil_mode", 0) != 0;
  if (kernel_shape.size() != rank || strides.size() != rank || dilations.size() != rank || pads.size() != 2 * rank) {
    return op.Error("kernel_shape, strides, dilations or pads do not fit ", rank, " spatial dimensions");
  }
  if (auto_pad != "NOTSET" && auto_pad != "VALID" && auto_pad != "SAME_UPPER" && auto_pad != "SAME_LOWER") {
    return op.Error("auto_pad '", auto_pad, "' is not known");
  }
  std::vector<WindowAxis> window(rank);
  for (size_t i = 0; i < rank; ++i) {
    const bool pads_given = auto_pad == "NOTSET";
    window[i] = {input_spatial[i],
                 1,
                 kernel_shape[i],
                 strides[i],
                 dilations[i],
                 pads_given ? pads[i] : 0,
                 pads_given ? pads[rank + i] : 0};
    for (int64_t value : {kernel_shape[i], strides[i], dilations[i]}) {
      if (value < 1 || value > kMaxWindow)
        return op.Error("kernel_shape, strides and dilations must lie in 1 … ", kMaxWindow);
    }
    if (std::min(window[i].pad_begin, window[i].pad_end) < 0 ||
        std::max(window[i].pad_begin, window[i].pad_end) > kMaxWindow) {
      return op.Error("pads must lie in 0 … ", kMaxWindow);
    }
    TILTH_RETURN_IF_ERROR(Resolve(op, auto_pad, ceil_mode, &window[i]));
  }
  return window;
}

}  // namespace tilth
