// RowwiseForm: several stages that all work row by row (softmax, layer norm), or, with no row axes, any stages at all.
#pragma once

#include <cstdint>
#include <vector>

#include "search_space/flat_stage.h"

namespace tilth {

struct RowwiseForm {
  std::vector<FlatStage> stages;  // axes: the row axes, then the stage's own columns, then what it reduces
  std::vector<int64_t> row_extents;
  std::vector<int64_t> row_elements;  // per tensor: elements of a temporary that one row needs; 0 for other tensors
  int num_row_axes() const { return static_cast<int>(row_extents.size()); }
  int64_t Rows() const;
  // The longest innermost axis: what vectors run along.
  int64_t LongestColumn() const;
};

RowwiseForm AnalyseRowwise(const Workload& workload);

// `index` of a temporary within its row: the row axes at zero.
Expr IndexInRow(const Expr& index, int num_row_axes, int num_axes);

}  // namespace tilth
