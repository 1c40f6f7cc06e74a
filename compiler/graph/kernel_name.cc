#include "compiler/graph/kernel_name.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_join.h"
#include "base/strings.h"
#include "compiler/graph/passes.h"

namespace tilth {
namespace {

std::string Lower(const std::string& text) {
  std::string lower = text;
  for (char& c : lower) c = absl::ascii_tolower(c);
  return lower;
}

// Extents above 1, or "1".
std::string Compact(const std::vector<int64_t>& shape) {
  std::vector<int64_t> real;
  std::copy_if(shape.begin(), shape.end(), std::back_inserter(real), [](int64_t extent) { return extent > 1; });
  return real.empty() ? "1" : absl::StrJoin(real, "x");
}

std::vector<int64_t> TapExtents(const Stage& stage) {
  std::vector<int64_t> taps;
  for (const Axis& axis : stage.reduce_axes) {
    if (axis.name == "q" || axis.name == "r" || axis.name == "s") taps.push_back(axis.extent);
  }
  return taps;
}

// "64x56x56": channels, then spatial extents, whatever the layout. `channels` of 0: all that the tensor has.
std::string ImageText(const GraphTensor& tensor, int64_t channels) {
  std::vector<int64_t> shape(tensor.logical_shape.begin() + 1, tensor.logical_shape.end());
  if (channels > 0) shape[0] = channels;
  return absl::StrJoin(shape, "x");
}

int64_t AxisExtent(const std::vector<Axis>& axes, std::string_view name) {
  for (const Axis& axis : axes) {
    if (axis.name == name) return axis.extent;
  }
  return 0;
}

// The coefficient of the innermost spatial axis in the index of the image: the stride of the window.
int64_t StrideOf(const Graph& graph, const Stage& stage) {
  int64_t stride = 1;
  expr::Visit(stage.value, [&](const ExprNode& node) {
    if (node.op != ExprOp::kLoad || graph.tensors[node.id].data != nullptr) return;
    for (const Expr& index : node.args) {
      const auto affine = AsAffine(index, static_cast<int>(stage.axes.size() + stage.reduce_axes.size()));
      if (!affine) continue;
      for (size_t a = 0; a < stage.axes.size(); ++a) {
        if (stage.axes[a].name == "w" || stage.axes[a].name == "h") stride = std::max(stride, affine->coefficients[a]);
      }
    }
  });
  return stride;
}

int FirstImage(const Graph& graph, const Stage& stage) {
  for (int tensor : LoadedTensors(stage)) {
    if (graph.tensors[tensor].data == nullptr) return tensor;
  }
  return stage.output;
}

std::string WindowName(const Graph& graph, const GraphStage& graph_stage) {
  const Stage& stage = graph_stage.stage;
  const GraphTensor& image = graph.tensors[FirstImage(graph, stage)];
  const std::vector<int64_t> taps = TapExtents(stage);
  const int64_t stride = StrideOf(graph, stage);
  std::string name = Lower(graph_stage.op);
  std::string filters;
  int64_t channels = AxisExtent(stage.axes, "c");
  if (graph_stage.op == "Conv") {
    const bool depthwise = channels > 0;
    name = StrCat(depthwise ? "depthwise" : "conv", taps.size(), "d");
    const int64_t groups = std::max<int64_t>(1, AxisExtent(stage.axes, "g"));
    if (!depthwise) {
      channels = AxisExtent(stage.reduce_axes, "c") * groups;
      filters = StrCat("->", AxisExtent(stage.axes, "o") * groups);
    }
    if (groups > 1) StrAppend(&filters, " g", groups);
  }
  StrAppend(&name, " ", absl::StrJoin(taps, "x"), " ", ImageText(image, channels), filters);
  if (stride > 1) StrAppend(&name, " s", stride);
  return name;
}

std::string ProductName(const Stage& stage) {
  std::vector<int64_t> extents;
  for (const Axis& axis : stage.axes) {
    if (axis.extent > 1 || axis.name == "m" || axis.name == "n") extents.push_back(axis.extent);
  }
  return StrCat("matmul ", absl::StrJoin(extents, "x"), "x", stage.reduce_axes[0].extent);
}

// What exporters make of a GELU has a name.
std::string WithGelu(std::string ops) {
  for (const std::string_view gelu : {"div+erf+add+mul+mul", "mul+erf+add+mul+mul"}) {
    if (const size_t at = ops.find(gelu); at != std::string::npos) ops.replace(at, gelu.size(), "gelu");
  }
  return ops;
}

std::string HeadName(const Graph& graph, const GraphStage& head) {
  if (!TapExtents(head.stage).empty()) return WindowName(graph, head);
  if (IsContraction(head.stage) && head.stage.reduce_axes.size() == 1) return ProductName(head.stage);
  // What is read, or of an elementwise stage that reads a slice or a table: what is written.
  std::vector<int64_t> shape = graph.tensors[FirstImage(graph, head.stage)].tensor.shape, axes;
  for (const Axis& axis : head.stage.axes) axes.push_back(axis.extent);
  if (head.stage.reduction == Reduction::kNone && NumElements(shape) != NumElements(axes)) shape = axes;
  return StrCat(Lower(head.op), " ", Compact(shape));
}

}  // namespace

std::string KernelName(const Graph& graph, const std::vector<int>& group) {
  const GraphStage& head = graph.stages[group[0]];
  if (group.size() == 1) return HeadName(graph, head);
  std::vector<std::string> ops;
  if (group.size() == 2 && head.stage.reduction != Reduction::kNone) {
    // An epilogue: what it does beyond finishing the head's own operator.
    const std::string& op = graph.stages[group[1]].op;
    for (size_t begin = 0; begin <= op.size();) {
      const size_t end = std::min(op.find('+', begin), op.size());
      const std::string part = op.substr(begin, end - begin);
      ops.push_back(part == "Conv" || part == "Gemm" || part == "BatchNormalization" ? "bias" : Lower(part));
      begin = end + 1;
    }
    ops.erase(
        std::unique(ops.begin(), ops.end(), [](const auto& a, const auto& b) { return a == "bias" && b == "bias"; }),
        ops.end());
    if (ops[0] == Lower(head.op)) ops.erase(ops.begin());
    return ops.empty() ? HeadName(graph, head) : StrCat(HeadName(graph, head), " +", WithGelu(absl::StrJoin(ops, "+")));
  }
  int sums = 0;
  bool roots = false;
  for (int s : group) {
    const std::string op = Lower(graph.stages[s].op);
    if (ops.empty() || ops.back() != op) ops.push_back(op);
    sums += graph.stages[s].stage.reduction == Reduction::kSum;
    expr::Visit(graph.stages[s].stage.value, [&](const ExprNode& node) { roots |= node.op == ExprOp::kSqrt; });
  }
  if (sums == 2 && roots) ops = {"layernorm"};
  if (ops.size() > 3) ops = {ops[0], "…", ops.back()};
  return StrCat(absl::StrJoin(ops, "+"), " ",
                Compact(graph.tensors[graph.stages[group.back()].stage.output].tensor.shape));
}

}  // namespace tilth
