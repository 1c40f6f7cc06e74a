// Whether a candidate's output agrees with the baseline's.
#pragma once

#include <cstdint>
#include <string>

#include "rpc_agent/runner/request.h"

namespace tilth::runner {

struct Comparison {
  bool agrees = true;
  int64_t index = 0;  // of the first element that does not
  double actual = 0, expected = 0;
  int64_t mismatches = 0;
  double max_abs_error = 0;  // over elements where both are finite

  // "element 17 is 3.5, the baseline has 2.25 (12 of 100 differ by more than 0.0001 + 0.001 x)"
  std::string Describe(int64_t num_elements, const OutputTolerance& tolerance) const;
};

// Elementwise: |actual - expected| <= atol + rtol * |expected|; NaN agrees with NaN, an infinity with itself. Poison
// that one side left unwritten must be there on the other side, too, bit for bit.
Comparison CompareOutputs(const void* actual, const void* expected, int32_t dtype, int64_t num_elements,
                          const OutputTolerance& tolerance);

}  // namespace tilth::runner
