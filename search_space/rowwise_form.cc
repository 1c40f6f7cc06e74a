#include "search_space/rowwise_form.h"

#include <algorithm>
#include <optional>

namespace tilth {
namespace {

// Whether every value that passes between stages stays within a row of the first `num_rows` axes.
bool RowsAreIndependent(const Workload& workload, const std::vector<FlatStage>& stages, int num_rows) {
  std::vector<std::optional<Affine>> written(workload.tensors.size());
  for (const FlatStage& stage : stages) {
    if (stage.num_spatial < num_rows) return false;
    for (int a = 0; a < num_rows; ++a)
      if (stage.extents[a] != stages[0].extents[a]) return false;
    bool fits = true;
    expr::Visit(stage.value, [&](const ExprNode& node) {
      if (node.op != ExprOp::kLoad || !written[node.id]) return;
      const std::optional<Affine> read = AsAffine(node.args[0], stage.num_axes());
      fits &= read.has_value();
      for (int a = 0; fits && a < num_rows; ++a) fits = read->coefficients[a] == written[node.id]->coefficients[a];
    });
    if (!fits) return false;
    written[stage.output] = AsAffine(stage.output_index, stage.num_axes());
    if (!written[stage.output] && num_rows > 0) return false;
  }
  return true;
}

}  // namespace

int64_t RowwiseForm::Rows() const {
  int64_t rows = 1;
  for (int64_t extent : row_extents) rows *= extent;
  return rows;
}

int64_t RowwiseForm::LongestColumn() const {
  int64_t longest = 1;
  for (const FlatStage& stage : stages)
    if (stage.num_axes() > num_row_axes()) longest = std::max(longest, stage.extents.back());
  return longest;
}

Expr IndexInRow(const Expr& index, int num_row_axes, int num_axes) {
  std::vector<Expr> axes(num_axes);
  for (int a = 0; a < num_row_axes; ++a) axes[a] = expr::Int(0);
  return expr::SubstituteIndices(index, axes);
}

RowwiseForm AnalyseRowwise(const Workload& workload) {
  RowwiseForm form;
  for (const Stage& stage : workload.stages) {
    form.stages.push_back(Flatten(workload, stage));
    DropUnitSpatialAxes(&form.stages.back());
  }
  int num_rows = form.stages[0].num_spatial;
  for (const FlatStage& stage : form.stages) num_rows = std::min(num_rows, stage.num_spatial);
  while (num_rows > 0 && !RowsAreIndependent(workload, form.stages, num_rows)) --num_rows;
  form.row_extents.assign(form.stages[0].extents.begin(), form.stages[0].extents.begin() + num_rows);
  form.row_elements.assign(workload.tensors.size(), 0);
  for (FlatStage& stage : form.stages) {
    FuseAxes({&stage}, num_rows);
    if (workload.tensors[stage.output].role != TensorRole::kTemporary) continue;
    int64_t elements = NumElements(workload.tensors[stage.output].shape);
    if (num_rows > 0) {
      const Affine index = *AsAffine(IndexInRow(stage.output_index, num_rows, stage.num_axes()), stage.num_axes());
      elements = index.constant + 1;
      for (int a = num_rows; a < stage.num_spatial; ++a) elements += index.coefficients[a] * (stage.extents[a] - 1);
    }
    form.row_elements[stage.output] = std::max(form.row_elements[stage.output], elements);
  }
  return form;
}

}  // namespace tilth
