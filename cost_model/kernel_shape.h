// What the kernels (cost_model/kernels) need to know of shapes and targets, made once and used for many candidates.
#pragma once

#include <vector>

#include "cost_model/kernels/kernels.h"
#include "ir/target.h"
#include "search_space/loop_nest.h"

namespace tilth {

KernelTarget ToKernelTarget(const Target& target);

// Owns the accesses that shape() points to; stays where it is.
class OwnedKernelShape {
 public:
  explicit OwnedKernelShape(const NestShape& shape);
  OwnedKernelShape(const OwnedKernelShape&) = delete;
  OwnedKernelShape& operator=(const OwnedKernelShape&) = delete;

  const KernelShape& shape() const { return shape_; }

 private:
  void SetLoops(const NestShape& shape);
  void SetSizes(const NestShape& shape);

  KernelShape shape_;
  std::vector<KernelAccess> accesses_;
};

// Writes the numbers of `nest` into lane `lane` of a block of its shape.
void FillLane(const LoopNest& nest, const Target& target, int lane, NestBlock* block);

}  // namespace tilth
