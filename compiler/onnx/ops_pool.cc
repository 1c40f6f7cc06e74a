// Pooling: windows and whole images.
#include <limits>

#include "compiler/onnx/op_context.h"
#include "compiler/onnx/registry.h"
#include "compiler/onnx/window.h"

namespace tilth {
namespace {

// Reduces windows of (n, c, spatial…) without scaling; padding counts as `neutral`.
StatusOr<int> AddWindowReduction(OpContext& op, int x, const std::vector<WindowAxis>& window, Reduction reduction,
                                 double neutral) {
  static constexpr std::string_view kSpatial[] = {"d", "h", "w"}, kTaps[] = {"q", "r", "s"};
  const int rank = static_cast<int>(window.size());
  Extents shape = {op.Shape(x)[0], op.Shape(x)[1]};
  std::vector<Axis> axes = {{"n", shape[0]}, {"c", shape[1]}}, taps;
  std::vector<Expr> index = {expr::Index(0), expr::Index(1)};
  Expr inside = expr::Bool(true);
  for (int i = 0; i < rank; ++i) {
    axes.push_back({std::string(kSpatial[3 - rank + i]), window[i].output});
    taps.push_back({std::string(kTaps[3 - rank + i]), window[i].kernel});
    const Expr coordinate = window[i].Coordinate(expr::Index(2 + i), expr::Index(2 + rank + i));
    inside = expr::And(inside, window[i].Inside(coordinate));
    index.push_back(coordinate);
    shape.push_back(window[i].output);
  }
  TILTH_ASSIGN_OR_RETURN(const int y, op.NewTensor(op.TypeOf(x), shape));
  const Expr value = expr::Select(inside, op.Load(x, std::move(index)), expr::Float(neutral));
  op.AddReduction(y, std::move(axes), IdentityIndex(2 + rank), reduction, std::move(taps), value);
  op.MarkImage(x);
  op.MarkImage(y);
  return y;
}

StatusOr<int> ReadImage(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const int x, op.FloatInput(0));
  if (op.Rank(x) < 3 || op.Rank(x) > 5) return op.Error("its input ", ShapeText(op.Shape(x)), " must have rank 3 to 5");
  return x;
}

Status ImportMaxPool(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const int x, ReadImage(op));
  if (op.WantsOutput(1)) return op.Error("its output of indices is not supported");
  op.Ignore("storage_order");
  TILTH_ASSIGN_OR_RETURN(const auto window, ReadWindow(op, Extents(op.Shape(x).begin() + 2, op.Shape(x).end()), {}));
  TILTH_ASSIGN_OR_RETURN(const int y,
                         AddWindowReduction(op, x, window, Reduction::kMax, -std::numeric_limits<double>::infinity()));
  op.SetOutput(0, y);
  return absl::OkStatus();
}

// The reciprocal of the number of elements under each window: a literal where it is the same everywhere, else a table
// over the spatial positions.
StatusOr<Expr> ReciprocalCount(OpContext& op, const std::vector<WindowAxis>& window, bool count_padding) {
  std::vector<double> table = {1};
  Extents shape = {1, 1};
  bool uniform = true;
  for (const WindowAxis& axis : window) {
    TILTH_RETURN_IF_ERROR(CountElements({static_cast<int64_t>(table.size()), axis.output}).status());
    std::vector<double> wider;
    for (double outer : table) {
      for (int64_t i = 0; i < axis.output; ++i)
        wider.push_back(outer * static_cast<double>(axis.TapsInside(i, count_padding)));
    }
    table = std::move(wider);
    shape.push_back(axis.output);
  }
  for (double& count : table) {
    uniform &= count == table[0];
    if (count == 0) return op.Error("a window lies wholly in the padding");
  }
  if (uniform) return expr::Float(1 / table[0]);
  for (double& count : table) count = 1 / count;
  std::vector<Expr> index = {expr::Int(0), expr::Int(0)};
  for (size_t i = 0; i < window.size(); ++i) index.push_back(expr::Index(static_cast<int>(2 + i)));
  return op.Load(op.NewConstant(DType::kF32, shape, table), std::move(index));
}

Status ImportAveragePool(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const int x, ReadImage(op));
  const bool count_padding = op.Int("count_include_pad", 0) != 0;
  TILTH_ASSIGN_OR_RETURN(const auto window, ReadWindow(op, Extents(op.Shape(x).begin() + 2, op.Shape(x).end()), {}));
  TILTH_ASSIGN_OR_RETURN(const Expr scale, ReciprocalCount(op, window, count_padding));
  TILTH_ASSIGN_OR_RETURN(const int sum, AddWindowReduction(op, x, window, Reduction::kSum, 0));
  const Extents shape = op.Shape(sum);
  TILTH_ASSIGN_OR_RETURN(const int y,
                         op.AddElementwise(op.TypeOf(x), shape, expr::Mul(op.LoadBroadcast(sum, shape), scale)));
  op.MarkImage(y);
  op.SetOutput(0, y);
  return absl::OkStatus();
}

template <Reduction kReduction>
Status ImportGlobalPool(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const int x, ReadImage(op));
  const Extents in = op.Shape(x);
  Extents shape(in.size(), 1);
  shape[0] = in[0];
  shape[1] = in[1];
  std::vector<Expr> load = {expr::Index(0), expr::Index(1)}, store = {expr::Index(0), expr::Index(1)};
  std::vector<Axis> reduced;
  for (size_t d = 2; d < in.size(); ++d) {
    reduced.push_back({StrCat("r", d - 2), in[d]});
    load.push_back(expr::Index(static_cast<int>(d)));
    store.push_back(expr::Int(0));
  }
  TILTH_ASSIGN_OR_RETURN(int y, op.NewTensor(op.TypeOf(x), shape));
  op.AddReduction(y, {{"n", in[0]}, {"c", in[1]}}, store, kReduction, reduced, op.Load(x, load));
  op.MarkImage(x);
  op.MarkImage(y);
  if (kReduction == Reduction::kSum) {
    const double count = static_cast<double>(NumElements(in) / (in[0] * in[1]));
    TILTH_ASSIGN_OR_RETURN(const int mean, op.NewTensor(op.TypeOf(x), shape));
    op.AddStage(mean, {{"n", in[0]}, {"c", in[1]}}, store, expr::Mul(op.Load(y, store), expr::Float(1 / count)));
    op.MarkImage(mean);
    y = mean;
  }
  op.SetOutput(0, y);
  return absl::OkStatus();
}

constexpr OperatorEntry kOperators[] = {
    {"MaxPool", 1, ImportMaxPool},
    {"AveragePool", 7, ImportAveragePool},
    {"GlobalMaxPool", 1, ImportGlobalPool<Reduction::kMax>},
    {"GlobalAveragePool", 1, ImportGlobalPool<Reduction::kSum>},
};

}  // namespace

std::span<const OperatorEntry> PoolingOperators() { return kOperators; }

}  // namespace tilth
