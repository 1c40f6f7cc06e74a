// What a kernel's inputs hold when it is measured: the same values on every device, whoever makes them.
#pragma once

#include <cstdint>

namespace tilth::runner {

// Fills `data` with num_elements values of `dtype` (TilthDType) from the counter-based generator: floating point in
// [-1, 1), integers in [0, value_bound), or in [-100, 100) if value_bound is 0, booleans 0 or 1.
void FillTestData(void* data, int32_t dtype, int64_t num_elements, uint64_t stream, int64_t value_bound);

}  // namespace tilth::runner
