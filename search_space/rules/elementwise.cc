// Sketch of a stage without a reduction: elementwise arithmetic, copies between layouts, gathers.
#include <algorithm>

#include "base/math.h"
#include "search_space/flat_stage.h"
#include "search_space/rules/rules.h"
#include "search_space/task_balance.h"

namespace tilth {
namespace {

enum KnobIndex { kVectorAxis, kVectors, kPointsPerTask };

class ElementwiseSketch : public Sketch {
 public:
  ElementwiseSketch(const Workload& workload, FlatStage stage, const Target& target)
      : stage_(std::move(stage)), tensors_(workload.tensors), target_(target), flops_(Flops(workload)) {
    name_ = "elementwise";
    knobs_.resize(3);
    knobs_[kVectorAxis] = {"vector.axis", {}};
    for (int axis : VectorAxes()) knobs_[kVectorAxis].options.push_back({axis});
    knobs_[kVectors] = {"unroll.vectors", {{1}, {2}, {4}, {8}}};
    knobs_[kPointsPerTask] = {"block.points", PowersUpTo(std::min<int64_t>(1024, stage_.SpatialSize()), 11)};
    BuildShapes();
  }

  LoopNest Resolve(const Candidate& candidate) const override {
    ElementwiseSchedule s;
    s.vector_axis = static_cast<int>(Option(candidate, kVectorAxis)[0]);
    s.lanes = LanesFor(target_, stage_.extents[s.vector_axis]);
    s.vectors = Option(candidate, kVectors)[0];
    s.points_per_task = PointsPerTask(s, Option(candidate, kPointsPerTask)[0]);
    LoopNest nest(&shapes_[candidate.rows[kVectorAxis]]);
    nest.flops = flops_;
    nest.vector_lanes = s.lanes;
    nest.body_instructions = s.vectors * 4;
    nest.schedule = s;
    ForEachLoop(s, NumbersInto(&nest));
    return nest;
  }

  Candidate Default() const override {
    Candidate candidate;
    candidate.num_knobs = 3;
    candidate.rows[kVectors] = 1;
    const auto& points = knobs_[kPointsPerTask].options;
    candidate.rows[kPointsPerTask] = static_cast<uint16_t>(std::min<size_t>(5, points.size() - 1));
    return candidate;
  }

 private:
  // With a single axis a point is a step of vectors.
  int64_t PointsPerTask(const ElementwiseSchedule& s, int64_t wanted) const {
    const int64_t points = stage_.num_spatial == 1 ? CeilDiv(stage_.extents[0], s.lanes * s.vectors)
                                                   : stage_.SpatialSize() / stage_.extents[s.vector_axis];
    TaskAxis axis = {points, std::min(wanted, points)};
    BalanceTasks(1, flops_ + kFlopsPerElementMoved * static_cast<double>(stage_.SpatialSize()), {&axis});
    return axis.per_task;
  }

  // The axis contiguous in the output first, then those contiguous in a load.
  std::vector<int> VectorAxes() const {
    std::vector<int> axes;
    auto add_unit_strides = [&](const Expr& index) {
      const std::optional<Affine> affine = AsAffine(index, stage_.num_axes());
      if (!affine) return;
      for (int a = 0; a < stage_.num_spatial; ++a)
        if (affine->coefficients[a] == 1 && std::find(axes.begin(), axes.end(), a) == axes.end()) axes.push_back(a);
    };
    add_unit_strides(stage_.output_index);
    expr::Visit(stage_.value, [&](const ExprNode& node) {
      if (node.op == ExprOp::kLoad) add_unit_strides(node.args[0]);
    });
    if (axes.empty()) axes.push_back(stage_.num_spatial - 1);
    return axes;
  }

  // Calls add(axis, extent, step, kind) for each loop, outermost first.
  template <typename Add>
  void ForEachLoop(const ElementwiseSchedule& s, Add add) const {
    for (int a = 0; a < stage_.num_spatial; ++a)
      if (a != s.vector_axis) add(a, stage_.extents[a], 1, LoopKind::kParallel);
    const int64_t step = s.lanes * s.vectors;
    add(s.vector_axis, CeilDiv(stage_.extents[s.vector_axis], step), step, LoopKind::kSerial);
    add(s.vector_axis, s.vectors, s.lanes, LoopKind::kUnrolled);
    add(s.vector_axis, s.lanes, 1, LoopKind::kVector);
  }

  void BuildShapes() {
    for (const std::vector<int64_t>& axis : knobs_[kVectorAxis].options) {
      NestShape& shape = shapes_.emplace_back();
      shape.sketch = name_;
      shape.axis_extents = stage_.extents;
      shape.num_task_loops = stage_.num_spatial - 1;
      ForEachLoop({.vector_axis = static_cast<int>(axis[0])}, StructureInto(&shape));
      AddAccess(expr::Load(stage_.output, tensors_[stage_.output].dtype, {stage_.output_index}), true, &shape);
      expr::Visit(stage_.value, [&](const ExprNode& node) {
        if (node.op == ExprOp::kLoad) AddAccess(expr::Load(node.id, node.dtype, node.args), false, &shape);
      });
    }
  }

  void AddAccess(const Expr& load, bool is_store, NestShape* shape) const {
    const std::optional<Affine> index = AsAffine(load->args[0], stage_.num_axes());
    NestAccess access;
    access.tensor = load->id;
    access.is_store = is_store;
    access.element_bytes = SizeInBytes(load->dtype);
    access.num_elements = NumElements(tensors_[load->id].shape);
    access.coefficients = index ? index->coefficients : std::vector<int64_t>(stage_.num_axes(), 1);
    shape->accesses.push_back(std::move(access));
  }

  FlatStage stage_;
  std::vector<Tensor> tensors_;
  Target target_;
  double flops_;
  std::vector<NestShape> shapes_;  // by the row of the vector axis
};

}  // namespace

void AddElementwiseSketches(const Workload& workload, const Target& target, SketchList* sketches) {
  if (workload.stages.size() != 1 || workload.stages[0].reduction != Reduction::kNone) return;
  FlatStage stage = Flatten(workload, workload.stages[0]);
  FuseAxes({&stage});
  if (stage.num_spatial == 0 || stage.num_spatial > kMaxAxes) return;
  sketches->push_back(std::make_unique<ElementwiseSketch>(workload, std::move(stage), target));
}

}  // namespace tilth
