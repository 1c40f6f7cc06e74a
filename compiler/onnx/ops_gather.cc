// Operators whose indices are data.
#include "compiler/onnx/op_context.h"
#include "compiler/onnx/registry.h"

namespace tilth {
namespace {

// Constant indices that step evenly are a slice: begin + i * step, with no table to look up.
bool IsArithmetic(const std::vector<int64_t>& values, int64_t* step) {
  *step = values.size() > 1 ? values[1] - values[0] : 0;
  for (size_t i = 1; i < values.size(); ++i) {
    if (values[i] - values[i - 1] != *step) return false;
  }
  return true;
}

// The element of the gathered dimension at iteration variables first_axis … first_axis + rank of indices - 1.
StatusOr<Expr> GatheredIndex(OpContext& op, int indices, int64_t extent, int first_axis) {
  const int rank = op.Rank(indices);
  std::vector<Expr> at;
  for (int d = 0; d < rank; ++d) at.push_back(expr::Index(first_axis + d));
  if (op.Constant(indices) == nullptr) {
    const Expr index = op.Load(indices, at);
    return expr::Select(expr::LessThan(index, expr::Int(0)), expr::Add(index, expr::Int(extent)), index);
  }
  TILTH_ASSIGN_OR_RETURN(std::vector<int64_t> values, op.ConstantInts(1));
  for (int64_t& value : values) {
    if (value < -extent || value >= extent) return op.Error("index ", value, " is out of range for extent ", extent);
    if (value < 0) value += extent;
  }
  int64_t step = 0;
  if (!values.empty() && rank <= 1 && IsArithmetic(values, &step)) {
    if (rank == 0) return expr::Int(values[0]);
    return expr::Add(expr::Mul(at[0], expr::Int(step)), expr::Int(values[0]));
  }
  return op.Load(op.NewConstant(DType::kI64, op.Shape(indices), std::vector<double>(values.begin(), values.end())), at);
}

Status ImportGather(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const int data, op.Input(0));
  TILTH_ASSIGN_OR_RETURN(const int indices, op.Input(1));
  const DType index_type = op.TypeOf(indices);
  if (index_type != DType::kI32 && index_type != DType::kI64) return op.Error("indices must be integers");
  const Extents in = op.Shape(data), index_shape = op.Shape(indices);
  TILTH_ASSIGN_OR_RETURN(const int axis, op.NormalizeAxis(op.Int("axis", 0), static_cast<int>(in.size())));
  Extents shape(in.begin(), in.begin() + axis);
  shape.insert(shape.end(), index_shape.begin(), index_shape.end());
  shape.insert(shape.end(), in.begin() + axis + 1, in.end());
  TILTH_ASSIGN_OR_RETURN(const Expr gathered, GatheredIndex(op, indices, in[axis], axis));
  std::vector<Expr> load;
  for (int d = 0; d < static_cast<int>(in.size()); ++d) {
    const int shifted = d < axis ? d : d + static_cast<int>(index_shape.size()) - 1;
    load.push_back(d == axis ? gathered : expr::Index(shifted));
  }
  if (NumElements(shape) == 0 && op.Constant(data) != nullptr) {
    op.SetOutput(0, op.NewConstant(ZeroValue(op.TypeOf(data), shape)));
    return absl::OkStatus();
  }
  TILTH_ASSIGN_OR_RETURN(const int y, op.AddElementwise(op.TypeOf(data), shape, op.Load(data, std::move(load))));
  op.SetOutput(0, y);
  return absl::OkStatus();
}

constexpr OperatorEntry kOperators[] = {{"Gather", 1, ImportGather}};

}  // namespace

std::span<const OperatorEntry> IndexingOperators() { return kOperators; }

}  // namespace tilth
