#include "cost_model/vector_path.h"

namespace tilth {

std::string_view NameOf(VectorPath path) {
  switch (path) {
    case VectorPath::kScalar:
      return "scalar";
    case VectorPath::kBaseline:
      return "baseline";
    case VectorPath::kAvx2:
      return "avx2";
    case VectorPath::kAvx512:
      return "avx512";
  }
  return "";
}

std::vector<VectorPath> AvailableVectorPaths() {
  std::vector<VectorPath> paths = {VectorPath::kScalar, VectorPath::kBaseline};
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx2")) paths.push_back(VectorPath::kAvx2);
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512bw"))
    paths.push_back(VectorPath::kAvx512);
#endif
  return paths;
}

const Kernels& KernelsOf(VectorPath path) {
  switch (path) {
#ifdef __x86_64__
    case VectorPath::kAvx512:
      return kAvx512Kernels;
    case VectorPath::kAvx2:
      return kAvx2Kernels;
#endif
    case VectorPath::kBaseline:
      return kBaselineKernels;
    default:
      return kScalarKernels;
  }
}

const Kernels& BestKernels() {
  static const Kernels& kBest = KernelsOf(AvailableVectorPaths().back());
  return kBest;
}

}  // namespace tilth
