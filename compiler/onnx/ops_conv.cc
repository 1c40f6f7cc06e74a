// Convolution of any rank, stride, dilation, padding and grouping.
#include <algorithm>
#include <tuple>

#include "compiler/onnx/op_context.h"
#include "compiler/onnx/registry.h"
#include "compiler/onnx/window.h"

namespace tilth {
namespace {

struct Conv {
  int x, weights;
  int64_t batch, groups, group_channels, group_filters;
  std::vector<WindowAxis> window;
  // Iteration variables: n, [g,] o, spatial… then taps… and the channel, which is the last reduced axis.
  std::vector<Axis> axes, reduce_axes;
  Expr n, group, filter;
  std::vector<Expr> positions, taps;
  Expr channel;  // within the group
};

void MakeAxes(Conv* conv) {
  int next = 0;
  const auto axis = [&](std::vector<Axis>* list, std::string name, int64_t extent) {
    list->push_back({std::move(name), extent});
    return expr::Index(next++);
  };
  conv->n = axis(&conv->axes, "n", conv->batch);
  const bool depthwise = conv->group_channels == 1 && conv->group_filters == 1;
  conv->group = conv->groups == 1 ? expr::Int(0) : axis(&conv->axes, depthwise ? "c" : "g", conv->groups);
  conv->filter = depthwise && conv->groups > 1 ? expr::Int(0) : axis(&conv->axes, "o", conv->group_filters);
  static constexpr std::string_view kSpatial[] = {"d", "h", "w"}, kTaps[] = {"q", "r", "s"};
  const size_t rank = conv->window.size(), skip = 3 - rank;
  for (size_t i = 0; i < rank; ++i) {
    conv->positions.push_back(axis(&conv->axes, std::string(kSpatial[skip + i]), conv->window[i].output));
  }
  for (size_t i = 0; i < rank; ++i) {
    conv->taps.push_back(axis(&conv->reduce_axes, std::string(kTaps[skip + i]), conv->window[i].kernel));
  }
  conv->channel = depthwise && conv->groups > 1 ? expr::Int(0) : axis(&conv->reduce_axes, "c", conv->group_channels);
}

StatusOr<Conv> ReadConv(OpContext& op) {
  Conv conv;
  TILTH_ASSIGN_OR_RETURN(std::tie(conv.x, conv.weights), ReadConvOperands(op));
  const Extents x = op.Shape(conv.x), w = op.Shape(conv.weights);
  conv.batch = x[0];
  conv.groups = op.Int("group", 1);
  if (conv.groups < 1 || x[1] % conv.groups != 0 || w[0] % conv.groups != 0 || w[1] != x[1] / conv.groups) {
    return op.Error("input ", ShapeText(x), ", weights ", ShapeText(w), " and group ", conv.groups, " do not fit");
  }
  conv.group_channels = w[1];
  conv.group_filters = w[0] / conv.groups;
  TILTH_ASSIGN_OR_RETURN(conv.window, ReadWindow(op, Extents(x.begin() + 2, x.end()), Extents(w.begin() + 2, w.end())));
  MakeAxes(&conv);
  return conv;
}

Status ImportConv(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(Conv conv, ReadConv(op));
  std::vector<Expr> x_index = {conv.n, expr::Add(expr::Mul(conv.group, expr::Int(conv.group_channels)), conv.channel)};
  const Expr out_channel = expr::Add(expr::Mul(conv.group, expr::Int(conv.group_filters)), conv.filter);
  std::vector<Expr> w_index = {out_channel, conv.channel}, y_index = {conv.n, out_channel};
  Expr inside = expr::Bool(true);
  Extents shape = {conv.batch, conv.groups * conv.group_filters};
  for (size_t i = 0; i < conv.window.size(); ++i) {
    const Expr coordinate = conv.window[i].Coordinate(conv.positions[i], conv.taps[i]);
    inside = expr::And(inside, conv.window[i].Inside(coordinate));
    x_index.push_back(coordinate);
    w_index.push_back(conv.taps[i]);
    y_index.push_back(conv.positions[i]);
    shape.push_back(conv.window[i].output);
  }
  const Expr x = expr::Select(inside, op.Load(conv.x, std::move(x_index)), expr::Float(0));
  const Expr product = expr::Mul(x, op.Load(conv.weights, std::move(w_index)));
  TILTH_ASSIGN_OR_RETURN(int y, op.NewTensor(op.TypeOf(conv.x), shape));
  op.AddReduction(y, conv.axes, std::move(y_index), Reduction::kSum, conv.reduce_axes, product);
  op.MarkImage(conv.x);
  op.MarkImage(y);
  if (op.HasInput(2)) {
    TILTH_ASSIGN_OR_RETURN(const int bias, op.FloatInput(2));
    if (op.Shape(bias) != Extents{shape[1]}) return op.Error("bias must have shape [", shape[1], "]");
    const Expr sum =
        expr::Add(op.Load(y, IdentityIndex(static_cast<int>(shape.size()))), op.Load(bias, {expr::Index(1)}));
    TILTH_ASSIGN_OR_RETURN(y, op.AddElementwise(op.TypeOf(conv.x), shape, sum));
    op.MarkImage(y);
  }
  op.SetOutput(0, y);
  return absl::OkStatus();
}

constexpr OperatorEntry kOperators[] = {{"Conv", 1, ImportConv}};

}  // namespace

std::span<const OperatorEntry> ConvolutionOperators() { return kOperators; }

}  // namespace tilth
