// OpenBLAS as a peer: matrix products through cblas_sgemm and, for one row, cblas_sgemv.
#include <cblas.h>

#include "bench/peers/peer_loop.h"

namespace tilth::bench {
namespace {

StatusOr<Kernel> PrepareShape(const Shape& shape) {
  if (shape.kind != "matmul") return absl::UnimplementedError("OpenBLAS multiplies matrices only");
  const int m = static_cast<int>(shape.m), k = static_cast<int>(shape.k), n = static_cast<int>(shape.n);
  const int64_t batch = shape.b;
  auto a = std::make_shared<std::vector<float>>(RandomFloats(batch * shape.m * shape.k));
  auto b = std::make_shared<std::vector<float>>(RandomFloats(batch * shape.k * shape.n));
  auto c = std::make_shared<std::vector<float>>(batch * shape.m * shape.n);
  if (m == 1 && batch == 1 && !shape.transposed) {
    return Kernel(
        [=] { cblas_sgemv(CblasRowMajor, CblasTrans, k, n, 1.0f, b->data(), n, a->data(), 1, 0.0f, c->data(), 1); });
  }
  const CBLAS_TRANSPOSE transpose = shape.transposed ? CblasTrans : CblasNoTrans;
  const int leading = shape.transposed ? k : n;
  return Kernel([=] {
    for (int64_t i = 0; i < batch; ++i) {
      cblas_sgemm(CblasRowMajor, CblasNoTrans, transpose, m, n, k, 1.0f, a->data() + i * m * k, k,
                  b->data() + i * k * n, leading, 0.0f, c->data() + i * m * n, n);
    }
  });
}

}  // namespace
}  // namespace tilth::bench

int main(int, char** argv) {
  tilth::bench::RestartWithOneThread(argv);
  return tilth::bench::ServePeer(openblas_get_config(), tilth::bench::PrepareShape);
}
