#include "bench/peers/shape_workload.h"

namespace tilth::bench {
namespace {

constexpr char kHeader[] = "tilth workload 1\n";

// c[b, m, n] = sum over k; the right operand is an input as in BLAS, or weights as in a network.
std::string MatmulText(const Shape& s) {
  // A single matrix has no batch dimension.
  const std::string batch = s.b > 1 ? StrCat(s.b, ",") : "", axes = s.b > 1 ? "i0, " : "";
  const std::string row = s.b > 1 ? "i1" : "i0", column = s.b > 1 ? "i2" : "i1";
  const int64_t right_rows = s.transposed ? s.n : s.k, right_columns = s.transposed ? s.k : s.n;
  std::string text =
      absl::StrFormat("%st0 input f32[%s%d,%d]\nt1 %s f32[%s%d,%d]\nt2 output f32[%s%d,%d]\n", kHeader, batch, s.m, s.k,
                      s.weights ? "constant" : "input", batch, right_rows, right_columns, batch, s.m, s.n);
  absl::StrAppendFormat(&text, "t2[%s%s, %s] for ", axes, row, column);
  if (s.b > 1) absl::StrAppendFormat(&text, "i0:%d ", s.b);
  absl::StrAppendFormat(&text, "%s:%d %s:%d = sum[r0:%d] (t0[%s%s, r0] * t1[%s%s, %s])\n", row, s.m, column, s.n, s.k,
                        axes, row, axes, s.transposed ? column : "r0", s.transposed ? "r0" : column);
  return text;
}

// Where the window reads along one dimension: index, and the condition under which it is inside.
struct Window {
  std::string index, inside;
};
Window WindowOf(int axis, int reduce, const Shape& s, int64_t extent) {
  std::string index = s.stride == 1 ? absl::StrFormat("i%d", axis) : absl::StrFormat("(i%d * %d)", axis, s.stride);
  index = absl::StrFormat("(%s + r%d)", index, reduce);
  if (s.pad == 0) return {index, ""};
  index = absl::StrFormat("(%s + -%d)", index, s.pad);
  return {index, absl::StrFormat("((0 <= %s) & (%s < %d))", index, index, extent)};
}

// The element of the image that the window sees in `channel`; `outside` where there is none.
std::string ImageAt(const Shape& s, const std::string& channel, const char* outside) {
  const Window row = WindowOf(1, 0, s, s.h), column = WindowOf(2, 1, s, s.w);
  const std::string load = absl::StrFormat("t0[i0, %s, %s, %s]", row.index, column.index, channel);
  if (s.pad == 0) return load;
  return absl::StrFormat("select((%s & %s), %s, %s)", row.inside, column.inside, load, outside);
}

std::string ConvolutionText(const Shape& s) {
  const int64_t group_inputs = s.c / s.groups, group_outputs = s.o / s.groups;
  const bool depthwise = group_inputs == 1 && group_outputs == 1, grouped = s.groups > 1 && !depthwise;
  // A grouped convolution runs over groups and over the filters of a group.
  const std::string filter = grouped ? absl::StrFormat("((i3 * %d) + i4)", group_outputs) : "i3";
  const std::string filters = grouped ? absl::StrFormat("i3:%d i4:%d", s.groups, group_outputs) : StrCat("i3:", s.o);
  const std::string channel =
      depthwise ? "i3" : (grouped ? absl::StrFormat("((i3 * %d) + r2)", group_inputs) : std::string("r2"));
  const int64_t height = s.OutputHeight(), width = s.OutputWidth();
  std::string text =
      absl::StrFormat("%st0 input f32[%d,%d,%d,%d]\nt1 constant f32[%d,%d,%d,%d]\nt2 output f32[%d,%d,%d,%d]\n",
                      kHeader, s.b, s.h, s.w, s.c, s.o, group_inputs, s.kh, s.kw, s.b, height, width, s.o);
  absl::StrAppendFormat(&text, "t2[i0, i1, i2, %s] for i0:%d i1:%d i2:%d %s = sum[r0:%d r1:%d", filter, s.b, height,
                        width, filters, s.kh, s.kw);
  if (!depthwise) absl::StrAppendFormat(&text, " r2:%d", group_inputs);
  absl::StrAppendFormat(&text, "] (%s * t1[%s, %s, r0, r1])\n", ImageAt(s, channel, "0.0"), filter,
                        depthwise ? "0" : "r2");
  return text;
}

std::string PoolText(const Shape& s) {
  const bool is_max = s.kind == "max_pool";
  const std::string dims = absl::StrFormat("f32[%d,%d,%d,%d]", s.b, s.OutputHeight(), s.OutputWidth(), s.c);
  const std::string axes = absl::StrFormat("i0:%d i1:%d i2:%d i3:%d", s.b, s.OutputHeight(), s.OutputWidth(), s.c);
  std::string text = absl::StrFormat("%st0 input f32[%d,%d,%d,%d]\nt1 output %s\n", kHeader, s.b, s.h, s.w, s.c, dims);
  if (!is_max) absl::StrAppendFormat(&text, "t2 temporary %s\n", dims);
  absl::StrAppendFormat(&text, "%s[i0, i1, i2, i3] for %s = %s[r0:%d r1:%d] %s\n", is_max ? "t1" : "t2", axes,
                        is_max ? "max" : "sum", s.kh, s.kw, ImageAt(s, "i3", is_max ? "-inf" : "0.0"));
  if (!is_max)
    absl::StrAppendFormat(&text, "t1[i0, i1, i2, i3] for %s = (t2[i0, i1, i2, i3] * %.9g)\n", axes,
                          1.0 / static_cast<double>(s.kh * s.kw));
  return text;
}

std::string SoftmaxText(const Shape& s) {
  return absl::StrFormat(
      "%1$st0 input f32[%2$d,%3$d]\nt1 output f32[%2$d,%3$d]\nt2 temporary f32[%2$d]\nt3 temporary f32[%2$d,%3$d]\n"
      "t4 temporary f32[%2$d]\nt5 temporary f32[%2$d]\nt2[i0] for i0:%2$d = max[r0:%3$d] t0[i0, r0]\n"
      "t3[i0, i1] for i0:%2$d i1:%3$d = exp((t0[i0, i1] - t2[i0]))\nt4[i0] for i0:%2$d = sum[r0:%3$d] t3[i0, r0]\n"
      "t5[i0] for i0:%2$d = (1.0 / t4[i0])\nt1[i0, i1] for i0:%2$d i1:%3$d = (t3[i0, i1] * t5[i0])\n",
      kHeader, s.m, s.n);
}

std::string LayerNormText(const Shape& s) {
  return absl::StrFormat(
      "%1$st0 input f32[%2$d,%3$d]\nt1 constant f32[%3$d]\nt2 constant f32[%3$d]\nt3 output f32[%2$d,%3$d]\n"
      "t4 temporary f32[%2$d]\nt5 temporary f32[%2$d,%3$d]\nt6 temporary f32[%2$d]\nt7 temporary f32[%2$d]\n"
      "t4[i0] for i0:%2$d = sum[r0:%3$d] t0[i0, r0]\n"
      "t5[i0, i1] for i0:%2$d i1:%3$d = (t0[i0, i1] - (t4[i0] * %4$.9g))\n"
      "t6[i0] for i0:%2$d = sum[r0:%3$d] (t5[i0, r0] * t5[i0, r0])\n"
      "t7[i0] for i0:%2$d = (1.0 / sqrt(((t6[i0] * %4$.9g) + 0.00001)))\n"
      "t3[i0, i1] for i0:%2$d i1:%3$d = (((t5[i0, i1] * t7[i0]) * t1[i1]) + t2[i1])\n",
      kHeader, s.m, s.n, 1.0 / static_cast<double>(s.n));
}

}  // namespace

StatusOr<Workload> WorkloadOf(const Shape& shape) {
  if (shape.kind == "matmul") return ParseWorkload(MatmulText(shape));
  if (shape.kind == "conv2d") return ParseWorkload(ConvolutionText(shape));
  if (shape.IsPool()) return ParseWorkload(PoolText(shape));
  if (shape.kind == "softmax") return ParseWorkload(SoftmaxText(shape));
  if (shape.kind == "layer_norm") return ParseWorkload(LayerNormText(shape));
  return absl::UnimplementedError(StrCat("no kernel of kind ", shape.kind));
}

}  // namespace tilth::bench
