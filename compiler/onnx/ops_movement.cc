// Operators that move elements: transpositions, concatenation, slices, padding, repetition.
#include <algorithm>
#include <limits>
#include <numeric>

#include "compiler/onnx/op_context.h"
#include "compiler/onnx/registry.h"

namespace tilth {
namespace {

Status ImportTranspose(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const int x, op.Input(0));
  const Extents in = op.Shape(x);
  const int rank = static_cast<int>(in.size());
  std::vector<int64_t> reversed(rank);
  std::iota(reversed.rbegin(), reversed.rend(), 0);
  const std::vector<int64_t> permutation = op.Ints("perm", reversed);
  std::vector<int64_t> sorted = permutation;
  std::sort(sorted.begin(), sorted.end());
  std::reverse(reversed.begin(), reversed.end());
  if (sorted != reversed)
    return op.Error("perm ", ShapeText(permutation), " is not a permutation of ", rank, " dimensions");
  Extents shape(rank);
  std::vector<Expr> index(rank);
  for (int d = 0; d < rank; ++d) {
    shape[d] = in[permutation[d]];
    index[permutation[d]] = expr::Index(d);
  }
  TILTH_ASSIGN_OR_RETURN(const int y, op.AddElementwise(op.TypeOf(x), shape, op.Load(x, index)));
  op.SetOutput(0, y);
  return absl::OkStatus();
}

// One stage per input, each of which writes its slice.
Status ImportConcat(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const int first, op.Input(0));
  const int rank = op.Rank(first);
  if (!op.HasAttribute("axis")) return op.Error("attribute 'axis' is missing");
  TILTH_ASSIGN_OR_RETURN(const int axis, op.NormalizeAxis(op.Int("axis", 0), rank));
  if (op.num_inputs() == 1) {
    op.SetOutput(0, first);
    return absl::OkStatus();
  }
  Extents shape = op.Shape(first);
  shape[axis] = 0;
  std::vector<int> inputs;
  for (int i = 0; i < op.num_inputs(); ++i) {
    TILTH_ASSIGN_OR_RETURN(const int input, op.Input(i));
    const Extents& own = op.Shape(input);
    if (own.size() != shape.size() || op.TypeOf(input) != op.TypeOf(first))
      return op.Error("its inputs differ in rank or type");
    for (int d = 0; d < rank; ++d) {
      if (d != axis && own[d] != shape[d])
        return op.Error("input ", i, " of shape ", ShapeText(own), " does not fit ", ShapeText(op.Shape(first)));
    }
    if (NumElements(own) == 0) continue;  // an empty constant adds nothing
    shape[axis] += own[axis];
    inputs.push_back(input);
  }
  TILTH_ASSIGN_OR_RETURN(const int y, op.NewTensor(op.TypeOf(first), shape));
  int64_t offset = 0;
  for (int input : inputs) {
    std::vector<Expr> store = IdentityIndex(rank);
    store[axis] = expr::Add(store[axis], expr::Int(offset));
    op.AddStage(y, AxesOf(op.Shape(input)), std::move(store), op.Load(input, IdentityIndex(rank)));
    offset += op.Shape(input)[axis];
  }
  op.SetOutput(0, y);
  return absl::OkStatus();
}

// x[…, begin + i * step, …] with `count` elements per dimension.
struct Slice {
  int64_t begin = 0, step = 1, count = 0;
};

StatusOr<int> AddSlice(OpContext& op, int x, const std::vector<Slice>& slices) {
  Extents shape;
  std::vector<Expr> index;
  for (size_t d = 0; d < slices.size(); ++d) {
    shape.push_back(slices[d].count);
    const Expr scaled = expr::Mul(expr::Index(static_cast<int>(d)), expr::Int(slices[d].step));
    index.push_back(expr::Add(scaled, expr::Int(slices[d].begin)));
  }
  if (shape == op.Shape(x) && std::all_of(slices.begin(), slices.end(), [](const Slice& s) { return s.step == 1; }))
    return x;
  if (NumElements(shape) == 0 && op.Constant(x) != nullptr) return op.NewConstant(ZeroValue(op.TypeOf(x), shape));
  return op.AddElementwise(op.TypeOf(x), shape, op.Load(x, index));
}

std::vector<Slice> WholeTensor(const Extents& shape) {
  std::vector<Slice> slices;
  for (int64_t extent : shape) slices.push_back({0, 1, extent});
  return slices;
}

Status ImportSplit(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const int x, op.Input(0));
  const Extents in = op.Shape(x);
  TILTH_ASSIGN_OR_RETURN(const int axis, op.NormalizeAxis(op.Int("axis", 0), static_cast<int>(in.size())));
  std::vector<int64_t> parts = op.opset() < 13 ? op.Ints("split", {}) : std::vector<int64_t>();
  if (op.opset() >= 13 && op.HasInput(1)) {
    TILTH_ASSIGN_OR_RETURN(parts, op.ConstantInts(1));
  }
  const int64_t outputs = op.num_outputs();
  if (parts.empty()) {
    if (outputs == 0 || in[axis] % outputs != 0)
      return op.Error("cannot split extent ", in[axis], " into ", outputs, " equal parts");
    parts.assign(outputs, in[axis] / outputs);
  }
  int64_t total = 0;
  for (int64_t part : parts) total += std::clamp<int64_t>(part, 0, in[axis] + 1);
  if (total != in[axis] || static_cast<int64_t>(parts.size()) != outputs ||
      *std::min_element(parts.begin(), parts.end()) < 1) {
    return op.Error("split ", ShapeText(parts), " does not fit extent ", in[axis], " and ", outputs, " outputs");
  }
  int64_t offset = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    std::vector<Slice> slices = WholeTensor(in);
    slices[axis] = {offset, 1, parts[i]};
    TILTH_ASSIGN_OR_RETURN(const int y, AddSlice(op, x, slices));
    op.SetOutput(static_cast<int>(i), y);
    offset += parts[i];
  }
  return absl::OkStatus();
}

StatusOr<Slice> ResolveSlice(const OpContext& op, int64_t extent, int64_t start, int64_t end, int64_t step) {
  if (step == 0 || step == std::numeric_limits<int64_t>::min()) return op.Error("a slice has step ", step);
  const auto clamp = [&](int64_t at, int64_t low, int64_t high) {
    return std::clamp(at < 0 ? at + extent : at, low, high);
  };
  if (step > 0) {
    const int64_t begin = clamp(start, 0, extent), stop = clamp(end, 0, extent);
    return Slice{begin, step, stop > begin ? (stop - begin - 1) / step + 1 : 0};
  }
  const int64_t begin = clamp(start, 0, extent - 1), stop = clamp(end, -1, extent - 1);
  return Slice{begin, step, begin > stop ? (begin - stop - 1) / -step + 1 : 0};
}

Status ImportSlice(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const int x, op.Input(0));
  const Extents in = op.Shape(x);
  std::vector<int64_t> lists[4];  // starts, ends, axes, steps
  if (op.opset() < 10) {
    lists[0] = op.Ints("starts", {});
    lists[1] = op.Ints("ends", {});
    lists[2] = op.Ints("axes", {});
  } else {
    for (int i = 0; i < 4; ++i) {
      if (i >= 2 && !op.HasInput(1 + i)) continue;
      TILTH_ASSIGN_OR_RETURN(lists[i], op.ConstantInts(1 + i));
    }
  }
  auto& [starts, ends, axes, steps] = lists;
  if (axes.empty()) {
    axes.resize(starts.size());
    std::iota(axes.begin(), axes.end(), 0);
  }
  if (steps.empty()) steps.assign(starts.size(), 1);
  if (ends.size() != starts.size() || axes.size() != starts.size() || steps.size() != starts.size()) {
    return op.Error("starts, ends, axes and steps differ in length");
  }
  std::vector<Slice> slices = WholeTensor(in);
  for (size_t i = 0; i < starts.size(); ++i) {
    TILTH_ASSIGN_OR_RETURN(const int d, op.NormalizeAxis(axes[i], static_cast<int>(in.size())));
    TILTH_ASSIGN_OR_RETURN(slices[d], ResolveSlice(op, in[d], starts[i], ends[i], steps[i]));
  }
  TILTH_ASSIGN_OR_RETURN(const int y, AddSlice(op, x, slices));
  op.SetOutput(0, y);
  return absl::OkStatus();
}

StatusOr<Expr> ReadPadValue(OpContext& op, int x) {
  const bool attribute = op.opset() < 11;
  double value = attribute ? op.Float("value", 0) : 0;
  if (!attribute && op.HasInput(2)) {
    TILTH_ASSIGN_OR_RETURN(const int input, op.Input(2));
    const TensorValue* constant = op.Constant(input);
    if (constant == nullptr || NumElements(constant->shape) != 1)
      return op.Error("its padding value must be a constant scalar");
    value = constant->Get(0);
  }
  if (op.TypeOf(x) == DType::kBool) return expr::Bool(value != 0);
  return IsFloat(op.TypeOf(x)) ? expr::Float(value) : expr::Int(static_cast<int64_t>(value));
}

Status ImportPad(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const int x, op.Input(0));
  const Extents in = op.Shape(x);
  const std::string mode = op.String("mode", "constant");
  if (mode != "constant") return op.Error("mode '", mode, "' is not supported; only constant");
  Extents pads = op.opset() < 11 ? op.Ints("pads", {}) : Extents();
  if (op.opset() >= 11) {
    TILTH_ASSIGN_OR_RETURN(pads, op.ConstantInts(1));
  }
  const size_t rank = in.size();
  if (pads.size() != 2 * rank) return op.Error("pads ", ShapeText(pads), " does not fit rank ", rank);
  TILTH_ASSIGN_OR_RETURN(const Expr fill, ReadPadValue(op, x));
  Extents shape;
  std::vector<Expr> index;
  Expr inside = expr::Bool(true);
  for (size_t d = 0; d < rank; ++d) {
    const int64_t begin = pads[d], end = pads[rank + d];
    if (std::min(begin, end) < -in[d] || std::max(begin, end) > (int64_t{1} << 31))
      return op.Error("pads ", ShapeText(pads), " do not fit");
    shape.push_back(in[d] + begin + end);
    index.push_back(expr::Sub(expr::Index(static_cast<int>(d)), expr::Int(begin)));
    inside = expr::And(inside, InRange(index.back(), -begin, in[d] + end - 1, in[d]));
  }
  TILTH_ASSIGN_OR_RETURN(const int y,
                         op.AddElementwise(op.TypeOf(x), shape, expr::Select(inside, op.Load(x, index), fill)));
  op.SetOutput(0, y);
  return absl::OkStatus();
}

Status ImportExpand(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const int x, op.Input(0));
  TILTH_ASSIGN_OR_RETURN(const Extents wanted, op.ConstantInts(1));
  TILTH_ASSIGN_OR_RETURN(const Extents shape, BroadcastShapes(op.Shape(x), wanted));
  if (shape == op.Shape(x)) {
    op.SetOutput(0, x);
    return absl::OkStatus();
  }
  TILTH_ASSIGN_OR_RETURN(const int y, op.AddElementwise(op.TypeOf(x), shape, op.LoadBroadcast(x, shape)));
  op.SetOutput(0, y);
  return absl::OkStatus();
}

Status ImportTile(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const int x, op.Input(0));
  TILTH_ASSIGN_OR_RETURN(const auto repeats, op.ConstantInts(1));
  const Extents in = op.Shape(x);
  if (repeats.size() != in.size())
    return op.Error("repeats ", ShapeText(repeats), " does not fit input ", ShapeText(in));
  Extents shape(in.size());
  std::vector<Expr> index;
  for (size_t d = 0; d < in.size(); ++d) {
    if (__builtin_mul_overflow(in[d], repeats[d], &shape[d]))
      return op.Error("repeats ", ShapeText(repeats), " are too large");
    const Expr at = expr::Index(static_cast<int>(d));
    index.push_back(in[d] == 1 ? expr::Int(0) : repeats[d] == 1 ? at : expr::Mod(at, in[d]));
  }
  TILTH_ASSIGN_OR_RETURN(const int y, op.AddElementwise(op.TypeOf(x), shape, op.Load(x, index)));
  op.SetOutput(0, y);
  return absl::OkStatus();
}

// (n, c*b*b, h, w) to (n, c, h*b, w*b); the offsets in a block come before (DCR) or behind (CRD) the channel.
Status ImportDepthToSpace(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const int x, op.Input(0));
  const Extents in = op.Shape(x);
  const int64_t block = op.Int("blocksize", 0);
  const std::string mode = op.String("mode", "DCR");
  if (in.size() != 4 || block < 1 || block > 1024 || in[1] % (block * block) != 0 || (mode != "DCR" && mode != "CRD")) {
    return op.Error("blocksize ", block, " and mode '", mode, "' do not fit input ", ShapeText(in));
  }
  const int64_t channels = in[1] / (block * block);
  const Expr c = expr::Index(1), h = expr::Index(2), w = expr::Index(3);
  const Expr offset = expr::Add(expr::Mul(expr::Mod(h, block), expr::Int(block)), expr::Mod(w, block));
  const Expr channel = mode == "DCR" ? expr::Add(expr::Mul(offset, expr::Int(channels)), c)
                                     : expr::Add(expr::Mul(c, expr::Int(block * block)), offset);
  const Expr value = op.Load(x, {expr::Index(0), channel, expr::FloorDiv(h, block), expr::FloorDiv(w, block)});
  TILTH_ASSIGN_OR_RETURN(const int y,
                         op.AddElementwise(op.TypeOf(x), {in[0], channels, in[2] * block, in[3] * block}, value));
  op.SetOutput(0, y);
  return absl::OkStatus();
}

constexpr OperatorEntry kOperators[] = {
    {"Transpose", 1, ImportTranspose},
    {"Concat", 4, ImportConcat},
    {"Split", 2, ImportSplit},
    {"Slice", 1, ImportSlice},
    {"Pad", 2, ImportPad},
    {"Expand", 8, ImportExpand},
    {"Tile", 6, ImportTile},
    {"DepthToSpace", 1, ImportDepthToSpace},
};

}  // namespace

std::span<const OperatorEntry> MovementOperators() { return kOperators; }

}  // namespace tilth
