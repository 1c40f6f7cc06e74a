// How far an output of a candidate may be from the baseline's before it is a wrong answer.
//
// Test inputs are uniform in [-1, 1) (measure.proto). Two summations of K products of such values in different orders
// differ by a random walk of K roundings of partial sums that grow like sqrt(K) / 3: a standard deviation of about
// eps * K / 6. Six of those, with a floor for short sums, is atol = (16 + K) * eps. Where the value then goes through a
// function that turns absolute into relative error (exp and the like), the same amount is added to rtol, and generated
// code approximates those functions to a few 1e-6. Division, logarithms and powers near their poles are looser still.
#pragma once

#include <vector>

#include "ir/workload.h"
#include "proto/measure.h"

namespace tilth {

// One tolerance per output tensor, in the order of the workload's tensors. Integers and booleans must be equal.
std::vector<Tolerance> OutputTolerances(const Workload& workload);

}  // namespace tilth
