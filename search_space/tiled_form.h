// TiledForm: a reduction stage (matrix product, convolution, depthwise convolution, pooling) and its epilogue, brought
// into the form on which register-tiled schedules work. The rules build knobs from it, lowering emits code from it.
//
// One spatial axis runs along vector lanes (the one that is contiguous in the output); up to two others, rows and
// columns, make the register tile; the rest are outer. The value is `left` or `left * right`, where `right` (weights,
// or the second matrix) does not depend on rows and columns, so that a register tile shares it.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/status.h"
#include "search_space/flat_stage.h"

namespace tilth {

// A condition `form >= 0` under which padding does not apply.
struct Guard {
  Affine form;  // over the axes of the reduction stage
};

// A guard on one tap axis, a reduced axis along which a window moves over an image with borders.
struct TapGuard {
  int tap_axis;
  Affine form;
};

struct TiledForm;

// The guards of a window whose taps outside the image may be left out.
struct WindowClip {
  std::vector<TapGuard> rows;     // depend on spatial axes other than the column axis
  std::vector<TapGuard> columns;  // depend on the column axis alone

  bool ClipsRows(int axis) const;
  bool ClipsColumns(int axis) const;
  // Whether all taps of columns [start, start + count) are inside.
  bool IsInterior(const TiledForm& form, int64_t start, int64_t count) const;
  // The share of all iteration points whose taps are inside; windows that would take long to count are taken as whole.
  double InsideShare(const TiledForm& form) const;
  // Of columns [start, start + count), those whose tap `tap` on `axis` is inside: [first, last), relative to start.
  std::pair<int64_t, int64_t> ColumnsInside(int column_axis, int64_t start, int64_t count, int axis, int64_t tap) const;
};

struct TiledForm {
  std::vector<Tensor> tensors;        // the workload's, then the padded copy's if there is one
  std::optional<FlatStage> pad_copy;  // writes the padded copy of an operand; runs first
  FlatStage reduce;
  std::optional<FlatStage> epilogue;  // same spatial axes as `reduce`; loads reduce.output at the same point
  int result = -1;                    // the tensor finally written
  Expr result_index;                  // its flat index over the spatial axes

  int vector_axis = -1;
  int column_axis = -1, row_axis = -1;  // -1: none
  std::vector<int> outer_axes;          // other spatial axes, in order
  std::vector<int> reduce_axes;         // axis numbers, in order
  int split_axis = -1;                  // the reduced axis that may be blocked: the longest

  Expr left;                  // without its guards
  std::vector<Guard> guards;  // left is `guard_value` where any fails
  double guard_value = 0;
  std::optional<WindowClip> clip;  // set by AnalyseClipped only
  bool left_along_vector = false;  // depends on the vector axis
  Expr right;                      // null: none. A load
  int right_tensor = -1;
  std::vector<int> right_outer_axes;  // outer axes it depends on

  int64_t Extent(int axis) const { return axis < 0 ? 1 : reduce.extents[axis]; }
  bool IsConstantRight() const { return right && tensors[right_tensor].role == TensorRole::kConstant; }
  // Steps of the reduction: the product of the reduced extents.
  int64_t ReductionLength() const;
};

// With `pad`: rewrites a guarded operand as a load from a padded copy. Nothing if the workload is not of this form, or
// `pad` is asked and there is nothing to pad or the guards are not plain bounds.
std::optional<TiledForm> AnalyseTiled(const Workload& workload, bool pad);

// The form with `clip` set and an axis to split that has no clipped rows. Nothing if a tap outside changes the result,
// or a guard is not of WindowClip's kinds.
std::optional<TiledForm> AnalyseClipped(const Workload& workload);

}  // namespace tilth
