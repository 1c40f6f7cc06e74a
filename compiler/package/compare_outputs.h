// Compares the outputs of a model with those that are expected.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"
#include "ir/interpreter.h"

namespace tilth {

struct Tolerance {
  double rtol = 1e-3;
  double atol = 1e-4;
};

struct OutputDifference {
  bool passed = true;  // |got - want| <= atol + rtol * |want| everywhere; NaN equals NaN
  double max_abs_error = 0;
  double max_rel_error = 0;  // |got - want| / |want|, where want is not zero
  int64_t num_mismatches = 0;
  int64_t first_mismatch = -1;  // flat index, with both values
  double got = 0, want = 0;
};

// INVALID_ARGUMENT when dtype or shape differ.
StatusOr<OutputDifference> CompareOutput(const TensorValue& got, const TensorValue& want, const Tolerance& tolerance);

// "element [0, 3, 17] is 1.5, expected 1.25 (and 12 more of 1000 elements differ)".
std::string DescribeMismatch(const OutputDifference& difference, const TensorValue& got);

}  // namespace tilth
