// The sliding windows that convolution and pooling share: kernel, strides, dilations and padding per spatial axis.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "compiler/onnx/op_context.h"

namespace tilth {

struct WindowAxis {
  int64_t input = 1;   // extent of the input
  int64_t output = 1;  // positions of the window
  int64_t kernel = 1;
  int64_t stride = 1;
  int64_t dilation = 1;
  int64_t pad_begin = 0, pad_end = 0;

  // The input coordinate at window position `position` and offset `tap`; may lie in the padding.
  Expr Coordinate(const Expr& position, const Expr& tap) const;
  // Whether that coordinate lies inside the input; constant true where it always does.
  Expr Inside(const Expr& coordinate) const;
  // How many taps of the window at `position` lie inside the input, or inside the input and its declared padding.
  int64_t TapsInside(int64_t position, bool count_padding) const;
};

// What the attributes of a window say, one entry per spatial dimension, each within its limits.
struct WindowAttributes {
  Extents kernel, strides, dilations;
  Extents pad_begin, pad_end;  // zero unless auto_pad is NOTSET
  std::string auto_pad;        // NOTSET, VALID, SAME_UPPER or SAME_LOWER
};

// The largest extent of a kernel, a stride, a dilation or a padding.
inline constexpr int64_t kMaxWindow = 1 << 20;

// The tensors of a convolution's input and weights, which have the same rank, 3 to 5, and the same float type.
StatusOr<std::pair<int, int>> ReadConvOperands(OpContext& op);

// Reads kernel_shape, strides, dilations, pads and auto_pad. `kernel` as in ReadWindow.
StatusOr<WindowAttributes> ReadWindowAttributes(OpContext& op, size_t rank, const Extents& kernel);

// Reads kernel_shape, strides, dilations, pads, auto_pad and ceil_mode. `kernel` gives the kernel's extents where the
// attribute is absent (empty: it must be there).
StatusOr<std::vector<WindowAxis>> ReadWindow(OpContext& op, const Extents& input_spatial, Extents kernel);

}  // namespace tilth
