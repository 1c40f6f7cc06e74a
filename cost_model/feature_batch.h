// Features of many candidates at once: nests come in any order, and are computed sixteen of one shape at a time.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "cost_model/feature_matrix.h"
#include "cost_model/vector_path.h"
#include "ir/target.h"
#include "search_space/loop_nest.h"

namespace tilth {

// The shapes of the nests outlive it. Confined to one thread.
class FeatureBatch {
 public:
  explicit FeatureBatch(const Target& target, const Kernels& kernels = BestKernels());
  ~FeatureBatch();

  // Takes a candidate in, which the caller knows as `id` (>= 0). Its row appears once sixteen of its shape have come,
  // or with Flush.
  void Add(const LoopNest& nest, int id);
  // Computes the rows of all that have been added.
  void Flush();

  // The rows so far, and the candidate of each; -1: a row without one.
  const FeatureMatrix& features() const { return features_; }
  std::span<const int> ids() const { return ids_; }
  // Forgets those rows, not the candidates that still wait.
  void ClearRows();

 private:
  struct Pending;
  Pending& PendingOf(const NestShape* shape);
  void Compute(Pending* pending);

  const Target target_;
  const KernelTarget kernel_target_;
  const Kernels& kernels_;
  absl::flat_hash_map<const NestShape*, std::unique_ptr<Pending>> pending_;
  std::vector<Pending*> in_order_;  // as shapes were first seen: Flush must not depend on addresses
  Pending* latest_ = nullptr;
  FeatureMatrix features_;
  std::vector<int> ids_;
};

}  // namespace tilth
