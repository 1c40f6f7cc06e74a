#include "compiler/package/compare_outputs.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_join.h"

namespace tilth {

StatusOr<OutputDifference> CompareOutput(const TensorValue& got, const TensorValue& want, const Tolerance& tolerance) {
  if (got.dtype != want.dtype || got.shape != want.shape) {
    return absl::InvalidArgumentError(StrCat("it is ", ToString(got.dtype), " [", absl::StrJoin(got.shape, ", "),
                                             "], expected ", ToString(want.dtype), " [",
                                             absl::StrJoin(want.shape, ", "), "]"));
  }
  OutputDifference difference;
  const int64_t num_elements = NumElements(want.shape);
  for (int64_t i = 0; i < num_elements; ++i) {
    const double a = got.Get(i), b = want.Get(i);
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    const double error = std::abs(a - b);
    difference.max_abs_error = std::max(difference.max_abs_error, error);
    if (b != 0) difference.max_rel_error = std::max(difference.max_rel_error, error / std::abs(b));
    if (error <= tolerance.atol + tolerance.rtol * std::abs(b) && std::isfinite(error)) continue;
    if (difference.num_mismatches++ > 0) continue;
    difference.passed = false;
    difference.first_mismatch = i;
    difference.got = a;
    difference.want = b;
  }
  return difference;
}

std::string DescribeMismatch(const OutputDifference& difference, const TensorValue& got) {
  std::vector<int64_t> index(got.shape.size());
  int64_t rest = difference.first_mismatch;
  for (size_t d = got.shape.size(); d-- > 0; rest /= got.shape[d]) index[d] = rest % got.shape[d];
  const int64_t others = difference.num_mismatches - 1;
  return StrCat("element [", absl::StrJoin(index, ", "), "] is ", difference.got, ", expected ", difference.want, " (",
                others, " more of ", NumElements(got.shape), " elements differ)");
}

}  // namespace tilth
