// Sketches of row-by-row stages. Vectors run along the columns of a row, or, when rows are short, across rows. With no
// independent rows this is the schedule of last resort: any stages, one task.
#include <algorithm>

#include "base/math.h"
#include "search_space/rowwise_form.h"
#include "search_space/rules/rules.h"
#include "search_space/task_balance.h"
#include "search_space/tiled_form.h"

namespace tilth {
namespace {

enum KnobIndex { kLanes, kAccumulators, kRowsPerTask };

class RowwiseSketch : public Sketch {
 public:
  RowwiseSketch(const Workload& workload, RowwiseForm form, const Target& target, bool across_rows)
      : form_(std::move(form)), tensors_(workload.tensors), flops_(Flops(workload)), across_rows_(across_rows) {
    name_ = across_rows ? "rowwise/across" : "rowwise/along";
    const int64_t vector_extent = across_rows ? form_.row_extents.back() : form_.LongestColumn();
    const int lanes = LanesFor(target, vector_extent);
    knobs_.resize(3);
    knobs_[kLanes] = {"vector.lanes", {{lanes}}};
    if (lanes > 4) knobs_[kLanes].options.push_back({lanes / 2});
    knobs_[kAccumulators] = {"unroll.accumulators", {{1}}};
    if (!across_rows) knobs_[kAccumulators].options.insert(knobs_[kAccumulators].options.end(), {{2}, {4}});
    const int64_t rows = across_rows ? CeilDiv(form_.Rows(), lanes) : form_.Rows();
    knobs_[kRowsPerTask] = {"block.rows", PowersUpTo(std::min<int64_t>(rows, 256), 9)};
    BuildShape();
  }

  LoopNest Resolve(const Candidate& candidate) const override {
    RowwiseSchedule s;
    s.lanes = static_cast<int>(Option(candidate, kLanes)[0]);
    s.accumulators = Option(candidate, kAccumulators)[0];
    s.across_rows = across_rows_;
    s.rows_per_task = RowsPerTask(s, Option(candidate, kRowsPerTask)[0]);
    LoopNest nest(&shape_);
    nest.schedule = s;
    nest.flops = flops_;
    nest.vector_lanes = s.lanes;
    nest.accumulator_registers = static_cast<int>(s.accumulators);
    nest.body_instructions = 4 * s.accumulators * static_cast<int64_t>(form_.stages.size());
    ForEachLoop(s, NumbersInto(&nest));
    return nest;
  }

  Candidate Default() const override {
    Candidate candidate;
    candidate.num_knobs = 3;
    candidate.rows[kAccumulators] =
        static_cast<uint16_t>(std::min<size_t>(1, knobs_[kAccumulators].options.size() - 1));
    candidate.rows[kRowsPerTask] = static_cast<uint16_t>(std::min<size_t>(3, knobs_[kRowsPerTask].options.size() - 1));
    return candidate;
  }

 private:
  int64_t RowsPerTask(const RowwiseSchedule& s, int64_t wanted) const {
    int64_t units = form_.Rows();
    if (across_rows_) units = units / form_.row_extents.back() * CeilDiv(form_.row_extents.back(), s.lanes);
    TaskAxis axis = {units, std::min(wanted, units)};
    const double elements = static_cast<double>(form_.Rows() * form_.LongestColumn() * form_.stages.size());
    BalanceTasks(1, flops_ + kFlopsPerElementMoved * elements, {&axis});
    return axis.per_task;
  }

  // Calls add(axis, extent, step, kind) for each loop, outermost first. The features see rows × longest column, walked
  // once per stage.
  template <typename Add>
  void ForEachLoop(const RowwiseSchedule& s, Add add) const {
    const int64_t rows = form_.Rows(), columns = form_.LongestColumn();
    const int64_t rows_at_once = s.rows_per_task * (across_rows_ ? s.lanes : 1);
    add(0, CeilDiv(rows, rows_at_once), rows_at_once, LoopKind::kParallel);
    if (across_rows_) {
      add(0, s.rows_per_task, s.lanes, LoopKind::kSerial);
      add(1, columns, 1, LoopKind::kSerial);
      add(0, s.lanes, 1, LoopKind::kVector);
    } else {
      const int64_t step = s.lanes * s.accumulators;
      add(0, s.rows_per_task, 1, LoopKind::kSerial);
      add(1, CeilDiv(columns, step), step, LoopKind::kSerial);
      add(1, s.accumulators, s.lanes, LoopKind::kUnrolled);
      add(1, s.lanes, 1, LoopKind::kVector);
    }
  }

  void BuildShape() {
    shape_.sketch = name_;
    const int64_t rows = form_.Rows(), columns = form_.LongestColumn();
    shape_.axis_extents = {rows, columns};
    shape_.num_task_loops = 1;
    ForEachLoop({}, StructureInto(&shape_));
    for (size_t t = 0; t < tensors_.size(); ++t) {
      if (tensors_[t].role == TensorRole::kTemporary) continue;
      NestAccess access;
      access.tensor = static_cast<int>(t);
      access.is_store = tensors_[t].role == TensorRole::kOutput;
      access.element_bytes = SizeInBytes(tensors_[t].dtype);
      access.num_elements = NumElements(tensors_[t].shape);
      const bool whole = access.num_elements >= rows * columns;
      access.coefficients = {whole                         ? columns
                             : access.num_elements == rows ? 1
                                                           : 0,
                             access.num_elements == rows && !whole ? 0 : 1};
      shape_.accesses.push_back(std::move(access));
    }
  }

  RowwiseForm form_;
  std::vector<Tensor> tensors_;
  double flops_;
  bool across_rows_;
  NestShape shape_;
};

}  // namespace

void AddRowwiseSketches(const Workload& workload, const Target& target, SketchList* sketches) {
  // Elementwise stages and products of two operands have better rules; this one is also the last resort.
  const bool reduces = std::any_of(workload.stages.begin(), workload.stages.end(),
                                   [](const Stage& stage) { return stage.reduction != Reduction::kNone; });
  const bool scalar =
      workload.stages.size() == 1 && NumElements(workload.tensors[workload.stages[0].output].shape) == 1;
  if (workload.stages.size() == 1 && !reduces && !scalar) return;
  const std::optional<TiledForm> tiled = AnalyseTiled(workload, /*pad=*/false);
  if (tiled && tiled->right) return;
  RowwiseForm form = AnalyseRowwise(workload);
  const bool short_rows = form.LongestColumn() < 32 && form.num_row_axes() > 0 && form.row_extents.back() >= 8;
  if (short_rows) sketches->push_back(std::make_unique<RowwiseSketch>(workload, form, target, /*across_rows=*/true));
  sketches->push_back(std::make_unique<RowwiseSketch>(workload, std::move(form), target, /*across_rows=*/false));
}

}  // namespace tilth
