// oneDNN as a peer, at its best: layouts of its own choice, weights reordered before the clock starts, the faster of
// its direct and its automatically chosen convolution, the faster layout for pooling.
#include <chrono>
#include <limits>
#include <unordered_map>

#include "bench/peers/peer_loop.h"
#include "dnnl.hpp"

namespace tilth::bench {
namespace {

using dnnl::memory;
using Dims = memory::dims;

struct Engine {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
};

constexpr auto kF32 = memory::data_type::f32;

// Memory of any layout, filled by reordering plain random numbers into it.
memory RandomMemory(Engine& at, const memory::desc& wanted, const Dims& dims, memory::format_tag plain_tag) {
  const memory::desc plain_desc(dims, kF32, plain_tag);
  memory plain(plain_desc, at.engine);
  int64_t count = 1;
  for (const int64_t dim : dims) count *= dim;
  const std::vector<float> values = RandomFloats(count);
  std::copy(values.begin(), values.end(), static_cast<float*>(plain.get_data_handle()));
  memory result(wanted, at.engine);
  dnnl::reorder(plain, result).execute(at.stream, plain, result);
  at.stream.wait();
  return result;
}

Kernel KernelOf(const std::shared_ptr<Engine>& at, dnnl::primitive primitive,
                std::unordered_map<int, memory> arguments) {
  return [at, primitive = std::move(primitive), arguments = std::move(arguments)]() mutable {
    primitive.execute(at->stream, arguments);
    at->stream.wait();
  };
}

Kernel PrepareMatmul(const Shape& shape) {
  auto at = std::make_shared<Engine>();
  // One matrix is a plain product: a batch of one would take another path.
  const bool batched = shape.b > 1;
  auto dims = [&](int64_t rows, int64_t columns) {
    return batched ? Dims{shape.b, rows, columns} : Dims{rows, columns};
  };
  const Dims a = dims(shape.m, shape.k), b = dims(shape.k, shape.n), c = dims(shape.m, shape.n);
  using Tag = memory::format_tag;
  const Tag row_major = batched ? Tag::abc : Tag::ab, column_major = batched ? Tag::acb : Tag::ba;
  const Tag right = shape.transposed ? column_major : row_major;
  const dnnl::matmul::primitive_desc primitive(
      dnnl::matmul::desc({a, kF32, row_major}, {b, kF32, shape.weights ? Tag::any : right}, {c, kF32, row_major}),
      at->engine);
  return KernelOf(at, dnnl::matmul(primitive),
                  {{DNNL_ARG_SRC, RandomMemory(*at, primitive.src_desc(), a, row_major)},
                   {DNNL_ARG_WEIGHTS, RandomMemory(*at, primitive.weights_desc(), b, right)},
                   {DNNL_ARG_DST, memory(primitive.dst_desc(), at->engine)}});
}

Kernel PreparePool(const Shape& shape, memory::format_tag layout) {
  auto at = std::make_shared<Engine>();
  const Dims source = {shape.b, shape.c, shape.h, shape.w};
  const Dims output = {shape.b, shape.c, shape.OutputHeight(), shape.OutputWidth()};
  const Dims stride = {shape.stride, shape.stride}, window = {shape.kh, shape.kw}, padding = {shape.pad, shape.pad};
  const auto algorithm =
      shape.kind == "max_pool" ? dnnl::algorithm::pooling_max : dnnl::algorithm::pooling_avg_exclude_padding;
  const dnnl::pooling_forward::primitive_desc primitive(
      dnnl::pooling_forward::desc(dnnl::prop_kind::forward_inference, algorithm, {source, kF32, layout},
                                  {output, kF32, layout}, stride, window, padding, padding),
      at->engine);
  return KernelOf(at, dnnl::pooling_forward(primitive),
                  {{DNNL_ARG_SRC, RandomMemory(*at, primitive.src_desc(), source, memory::format_tag::nchw)},
                   {DNNL_ARG_DST, memory(primitive.dst_desc(), at->engine)}});
}

Kernel PrepareSoftmax(const Shape& shape) {
  auto at = std::make_shared<Engine>();
  const Dims dims = {shape.m, shape.n};
  const memory::desc plain(dims, kF32, memory::format_tag::ab);
  const dnnl::softmax_forward::primitive_desc primitive(
      dnnl::softmax_forward::desc(dnnl::prop_kind::forward_inference, plain, /*axis=*/1), at->engine);
  return KernelOf(at, dnnl::softmax_forward(primitive),
                  {{DNNL_ARG_SRC, RandomMemory(*at, plain, dims, memory::format_tag::ab)},
                   {DNNL_ARG_DST, memory(plain, at->engine)}});
}

Kernel PrepareLayerNorm(const Shape& shape) {
  auto at = std::make_shared<Engine>();
  const Dims dims = {shape.m, shape.n}, channels = {2, shape.n};
  const memory::desc plain(dims, kF32, memory::format_tag::ab);
  const dnnl::layer_normalization_forward::primitive_desc primitive(
      dnnl::layer_normalization_forward::desc(dnnl::prop_kind::forward_inference, plain, 1e-5f,
                                              dnnl::normalization_flags::use_scale_shift),
      at->engine);
  return KernelOf(
      at, dnnl::layer_normalization_forward(primitive),
      {{DNNL_ARG_SRC, RandomMemory(*at, plain, dims, memory::format_tag::ab)},
       {DNNL_ARG_SCALE_SHIFT, RandomMemory(*at, primitive.weights_desc(), channels, memory::format_tag::ab)},
       {DNNL_ARG_DST, memory(plain, at->engine)}});
}

Kernel PrepareConvolution(const Shape& shape, dnnl::algorithm algorithm) {
  auto at = std::make_shared<Engine>();
  const bool grouped = shape.groups > 1;
  const Dims source = {shape.b, shape.c, shape.h, shape.w};
  const Dims output = {shape.b, shape.o, shape.OutputHeight(), shape.OutputWidth()};
  const Dims weights = grouped ? Dims{shape.groups, shape.o / shape.groups, shape.c / shape.groups, shape.kh, shape.kw}
                               : Dims{shape.o, shape.c, shape.kh, shape.kw};
  const auto any = memory::format_tag::any;
  const Dims stride = {shape.stride, shape.stride}, padding = {shape.pad, shape.pad};
  const dnnl::convolution_forward::primitive_desc primitive(
      dnnl::convolution_forward::desc(dnnl::prop_kind::forward_inference, algorithm, {source, kF32, any},
                                      {weights, kF32, any}, {output, kF32, any}, stride, padding, padding),
      at->engine);
  return KernelOf(at, dnnl::convolution_forward(primitive),
                  {{DNNL_ARG_SRC, RandomMemory(*at, primitive.src_desc(), source, memory::format_tag::nchw)},
                   {DNNL_ARG_WEIGHTS, RandomMemory(*at, primitive.weights_desc(), weights,
                                                   grouped ? memory::format_tag::goihw : memory::format_tag::oihw)},
                   {DNNL_ARG_DST, memory(primitive.dst_desc(), at->engine)}});
}

double QuickTime(const Kernel& kernel) {
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i < 6; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    kernel();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  return best;
}

Kernel Faster(const Kernel& one, const Kernel& other) { return QuickTime(other) < QuickTime(one) ? other : one; }

StatusOr<Kernel> PrepareShape(const Shape& shape) {
  try {
    if (shape.kind == "matmul") return PrepareMatmul(shape);
    if (shape.kind == "softmax") return PrepareSoftmax(shape);
    if (shape.kind == "layer_norm") return PrepareLayerNorm(shape);
    if (shape.IsPool())
      return Faster(PreparePool(shape, memory::format_tag::nChw16c), PreparePool(shape, memory::format_tag::nhwc));
    if (shape.kind != "conv2d") return absl::UnimplementedError(StrCat("no such kind: ", shape.kind));
    return Faster(PrepareConvolution(shape, dnnl::algorithm::convolution_direct),
                  PrepareConvolution(shape, dnnl::algorithm::convolution_auto));
  } catch (const dnnl::error& error) {
    return absl::UnimplementedError(error.what());
  }
}

}  // namespace
}  // namespace tilth::bench

int main(int, char** argv) {
  tilth::bench::RestartWithOneThread(argv);
  const dnnl_version_t* version = dnnl_version();
  return tilth::bench::ServePeer(tilth::StrCat("oneDNN ", version->major, ".", version->minor, ".", version->patch),
                                 tilth::bench::PrepareShape);
}
