// A model of four kernel calls, made by hand so that every way to bind a buffer occurs:
//
//     scale(x, w) = x * 2w          packs 2w ahead of time
//     top(m, b)   = m + b           through a workspace; writes the first half of `joined`
//     bottom(m, b) = m - b          through task scratch; writes the second half
//
//     m0 = scale(x, w0);  m1 = scale(m0, w1);  joined = [top(m1, b), bottom(m0, b)];  output: joined as [2, kSize]
//
// w0 and w1 are equal.
#pragma once

#include <vector>

#include "compiler/package/package.h"

namespace tilth {

inline constexpr int kSmallModelSize = 37;

struct SmallModel {
  Partition partition;
  std::vector<KernelChoice> choices;
};
SmallModel MakeSmallModel();

std::vector<float> SmallModelInput();
std::vector<float> SmallModelOutput();

TensorValue FloatValue(const std::vector<float>& values);
std::vector<float> Floats(const TensorValue& value);

}  // namespace tilth
