// Stages with one-dimensional tensors and as few axes as possible: what rules analyse and lowering emits.
#pragma once

#include <cstdint>
#include <vector>

#include "ir/workload.h"

namespace tilth {

// A stage in which every load and the output have a single flat index. Axes 0 … num_spatial-1 are spatial, the rest are
// reduced. Tensor numbers are the workload's.
struct FlatStage {
  int output = -1;
  int num_spatial = 0;
  std::vector<int64_t> extents;
  Reduction reduction = Reduction::kNone;
  Expr output_index;
  Expr value;

  int num_axes() const { return static_cast<int>(extents.size()); }
  int64_t SpatialSize() const;
};

FlatStage Flatten(const Workload& workload, const Stage& stage);

// Fuses neighbouring axes that every access of every stage walks as one: (h, w) of a 1x1 convolution, everything of an
// elementwise stage. Spatial axes are fused only when all stages agree (they must have equal spatial extents); reduced
// axes stage by stage. Axes before `first_axis` stay as they are; axes of extent 1 go while another of their kind is
// left.
void FuseAxes(std::vector<FlatStage*> stages, int first_axis = 0);

// Fuses a spatial axis with the one after it, at most `longest` long, which some loads do not depend on: the filters of
// the groups of a convolution. Those loads then divide the fused axis by its length. Nothing happens where FuseAxes
// would do it, or where an access is of another form.
void FuseShortGroups(const std::vector<FlatStage*>& stages, int64_t longest);

// Removes every spatial axis of extent 1.
void DropUnitSpatialAxes(FlatStage* stage);

// Whether `e` uses iteration variable `axis`.
bool DependsOn(const Expr& e, int axis);

}  // namespace tilth
