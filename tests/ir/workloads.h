// Small workloads that several tests share.
#pragma once

#include <string>
#include <vector>

#include "ir/workload.h"

namespace tilth::testing {

Tensor MakeTensor(std::string name, TensorRole role, std::vector<int64_t> shape, DType dtype = DType::kF32);

// c[m, n] = sum(k) a[m, k] * b[k, n]
Workload Matmul(int64_t m, int64_t n, int64_t k);

// 3x3 convolution, padding 1, NHWC activations and OIHW weights, with bias and relu in a second stage.
Workload ConvRelu(int64_t height, int64_t width, int64_t channels, int64_t filters);

// Three stages: row maximum, row sum of exponentials, division.
Workload Softmax(int64_t rows, int64_t columns);

}  // namespace tilth::testing
