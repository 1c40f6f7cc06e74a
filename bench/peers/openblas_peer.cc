// OpenBLAS as a peer: matrix products through cblas_sgemm and, for one row, cblas_sgemv.
#include <cblas.h>

#include "bench/peers/peer_loop.h"

namespace tilth::bench {
namespace {

StatusOr<Kernel> PrepareShape(const Shape& shape) {
  if (shape.kind != "matmul") return absl::UnimplementedError("OpenBLAS multiplies matrices only");
  const int m = static_cast<int>(shape.m), k = static_cast<int>(shape.k), n = static_cast<int>(shape.n);
  auto a = std::make_shared<std::vector<float>>(RandomFloats(shape.m * shape.k));
  auto b = std::make_shared<std::vector<float>>(RandomFloats(shape.k * shape.n));
  auto c = std::make_shared<std::vector<float>>(shape.m * shape.n);
  if (m == 1) {
    return Kernel(
        [=] { cblas_sgemv(CblasRowMajor, CblasTrans, k, n, 1.0f, b->data(), n, a->data(), 1, 0.0f, c->data(), 1); });
  }
  return Kernel([=] {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, 1.0f, a->data(), k, b->data(), n, 0.0f, c->data(),
                n);
  });
}

}  // namespace
}  // namespace tilth::bench

int main(int, char** argv) {
  tilth::bench::RestartWithOneThread(argv);
  return tilth::bench::ServePeer(openblas_get_config(), tilth::bench::PrepareShape);
}
