// The sketch of Winograd convolutions: F(2, 3) and F(4, 3), or F(2, 5), in one or two dimensions.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "base/math.h"
#include "search_space/rules/rules.h"
#include "search_space/task_balance.h"
#include "search_space/winograd_form.h"

namespace tilth {
namespace {

enum KnobIndex { kTileInputs, kRegister, kRowTiles, kVectorTiles, kUnrollK, kTaskOrder, kTransform };

// Axes of the nest: the matrix products, one per position.
enum NestAxis { kTile, kPosition, kOutputChannel, kChannel };

// Verification allows an error that grows with the length of the sum; what the transforms add must stay below it,
// and with six inputs it does from about 200 terms on (tests/compiler/lower/winograd_error_test.cc).
bool IsAccurate(const WinogradForm& form, int64_t tile_inputs) {
  return tile_inputs < 6 || form.tiled.ReductionLength() >= 200;
}

// What decides on the order of loops, the extents of the axes and the accesses.
size_t ShapeIndex(const WinogradSchedule& s) { return (s.tile_inputs == 4 ? 0 : 1) + (s.vector_major_tasks ? 2 : 0); }

class WinogradSketch : public Sketch {
 public:
  WinogradSketch(WinogradForm form, const Target& target)
      : form_(std::move(form)), target_(target), lanes_(LanesFor(target, OutputChannels())) {
    name_ = "winograd";
    BuildKnobs();
    BuildShapes();
  }

  LoopNest Resolve(const Candidate& candidate) const override;
  Candidate Default() const override;
  double LeastFlops() const override;

  // Cycles of one core, roughly, with tiles of `tile_inputs`; and of the direct convolution.
  double EstimatedCycles(int64_t tile_inputs) const;
  double DirectCycles() const;
  int64_t BestTileInputs() const;

 private:
  void BuildKnobs();
  WinogradSchedule Schedule(const Candidate& candidate) const;
  void BuildShapes();
  template <typename Add>
  void ForEachLoop(const WinogradSchedule& s, Add add) const;
  void AddAccesses(const WinogradSchedule& s, NestShape* shape) const;
  double WeightCycles(double bytes) const;
  double WeightBytes(int64_t tile_inputs) const {
    return 4.0 * static_cast<double>(form_.Positions(tile_inputs) * Channels() * OutputChannels());
  }
  // Of the matrix products with tiles of `tile_inputs`.
  double ProductFlops(int64_t tile_inputs) const;

  int64_t Tiles(const WinogradSchedule& s) const { return shapes_[ShapeIndex(s)].axis_extents[kTile]; }
  int64_t Positions(const WinogradSchedule& s) const { return shapes_[ShapeIndex(s)].axis_extents[kPosition]; }

  int64_t Channels() const { return form_.tiled.Extent(form_.channel_axis); }
  int64_t OutputChannels() const { return form_.tiled.Extent(form_.tiled.vector_axis); }
  int64_t OutputVectors() const { return CeilDiv(OutputChannels(), lanes_); }
  double Fma() const { return std::max(1, target_.fma_per_cycle); }

  WinogradForm form_;
  Target target_;
  int lanes_;
  std::array<NestShape, 4> shapes_;  // by ShapeIndex
  std::array<double, 4> shape_flops_{};
};

void WinogradSketch::BuildKnobs() {
  knobs_.resize(kTransform + 1);
  int64_t taps = 0;
  for (const WinogradWindow& window : form_.windows) taps = std::max(taps, window.taps);
  knobs_[kTileInputs] = {"winograd.inputs", {}};
  for (int64_t inputs : {4, 6})
    if (inputs > taps && IsAccurate(form_, inputs)) knobs_[kTileInputs].options.push_back({inputs});
  knobs_[kRegister] = {"tile.register", {}};
  const int64_t most_tiles = form_.Tiles(knobs_[kTileInputs].options[0][0]);
  for (int64_t rows = 1; rows <= std::min<int64_t>(most_tiles, 28); ++rows)
    for (int64_t vectors : {1, 2, 3, 4, 6})
      if (vectors <= OutputVectors() && FitsRegisters(target_, rows * vectors, vectors, /*left_along_vector=*/false))
        knobs_[kRegister].options.push_back({rows, vectors});
  knobs_[kRowTiles] = {"block.rows", PowersUpTo(std::min<int64_t>(CeilDiv(most_tiles, 4), 64), 8)};
  knobs_[kVectorTiles] = {"block.vectors", PowersUpTo(OutputVectors(), 10)};
  knobs_[kUnrollK] = {"unroll.k", {{1}}};
  for (int64_t unroll : {2, 4, 8})
    if (unroll <= Channels()) knobs_[kUnrollK].options.push_back({unroll});
  knobs_[kTaskOrder] = {"order.tasks", {{0}, {1}}};
  knobs_[kTransform] = {"transform.in_task", {{1}, {0}}};
}

WinogradSchedule WinogradSketch::Schedule(const Candidate& candidate) const {
  WinogradSchedule s;
  s.lanes = lanes_;
  s.tile_inputs = Option(candidate, kTileInputs)[0];
  s.rows = std::min(Option(candidate, kRegister)[0], Tiles(s));
  s.vectors = Option(candidate, kRegister)[1];
  s.row_tiles = std::min(Option(candidate, kRowTiles)[0], CeilDiv(Tiles(s), s.rows));
  s.vector_tiles = std::min(Option(candidate, kVectorTiles)[0], CeilDiv(OutputVectors(), s.vectors));
  s.k_unroll = Option(candidate, kUnrollK)[0];
  while (s.k_unroll > 1 && s.k_unroll * s.rows * s.vectors > kMaxUnrolledBody) s.k_unroll /= 2;
  s.vector_major_tasks = Option(candidate, kTaskOrder)[0] == 1;
  TaskAxis rows = {CeilDiv(Tiles(s), s.rows), s.row_tiles};
  TaskAxis vectors = {CeilDiv(OutputVectors(), s.vectors), s.vector_tiles};
  BalanceTasks(/*outer=*/1, shape_flops_[ShapeIndex(s)], {&rows, &vectors});
  s.row_tiles = rows.per_task;
  s.vector_tiles = vectors.per_task;
  // Tasks that share input tiles do not transform them again.
  s.transform_in_task = Option(candidate, kTransform)[0] == 1 && vectors.per_task >= vectors.tiles;
  return s;
}

// Calls add(axis, extent, step, kind) for each loop, outermost first; which axes and kinds depends on ShapeIndex(s)
// alone. The first two make tasks.
template <typename Add>
void WinogradSketch::ForEachLoop(const WinogradSchedule& s, Add add) const {
  const int64_t n_step = s.lanes * s.vectors, block = s.rows * s.row_tiles;
  const int64_t vector_blocks = CeilDiv(OutputChannels(), n_step * s.vector_tiles);
  if (s.vector_major_tasks) add(kOutputChannel, vector_blocks, n_step * s.vector_tiles, LoopKind::kParallel);
  add(kTile, CeilDiv(Tiles(s), block), block, LoopKind::kParallel);
  if (!s.vector_major_tasks) add(kOutputChannel, vector_blocks, n_step * s.vector_tiles, LoopKind::kParallel);
  add(kOutputChannel, s.vector_tiles, n_step, LoopKind::kSerial);
  add(kPosition, Positions(s), 1, LoopKind::kSerial);
  add(kTile, s.row_tiles, s.rows, LoopKind::kSerial);
  add(kChannel, CeilDiv(Channels(), s.k_unroll), s.k_unroll, LoopKind::kSerial);
  add(kChannel, s.k_unroll, 1, LoopKind::kUnrolled);
  add(kTile, s.rows, 1, LoopKind::kUnrolled);
  add(kOutputChannel, s.vectors, s.lanes, LoopKind::kUnrolled);
  add(kOutputChannel, s.lanes, 1, LoopKind::kVector);
}

// The transformed input, the transformed weights, and the output, each spread over the axes of the products.
void WinogradSketch::AddAccesses(const WinogradSchedule& s, NestShape* shape) const {
  const int64_t tiles = Tiles(s), positions = Positions(s);
  NestAccess input{.tensor = -1, .num_elements = tiles * positions * Channels()};
  input.coefficients = {Channels(), tiles * Channels(), 0, 1};
  NestAccess weights{.tensor = form_.tiled.right_tensor, .num_elements = positions * Channels() * OutputChannels()};
  weights.coefficients = {0, Channels() * OutputChannels(), 1, OutputChannels()};
  weights.is_packed = true;
  NestAccess output{.tensor = form_.tiled.result, .is_store = true};
  output.num_elements = tiles * positions * OutputChannels();
  output.coefficients = {positions * OutputChannels(), OutputChannels(), 1, 0};
  shape->accesses = {input, weights, output};
}

void WinogradSketch::BuildShapes() {
  for (const std::vector<int64_t>& inputs : knobs_[kTileInputs].options) {
    for (bool vector_major : {false, true}) {
      WinogradSchedule s;
      s.tile_inputs = inputs[0];
      s.vector_major_tasks = vector_major;
      NestShape& shape = shapes_[ShapeIndex(s)];
      shape.sketch = name_;
      shape.axis_extents = {form_.Tiles(s.tile_inputs), form_.Positions(s.tile_inputs), OutputChannels(), Channels()};
      shape_flops_[ShapeIndex(s)] = ProductFlops(s.tile_inputs);
      ForEachLoop(s, StructureInto(&shape));
      shape.num_task_loops = 2;
      AddAccesses(s, &shape);
    }
  }
}

LoopNest WinogradSketch::Resolve(const Candidate& candidate) const {
  const WinogradSchedule s = Schedule(candidate);
  const int64_t tiles = Tiles(s), positions = Positions(s);
  LoopNest nest(&shapes_[ShapeIndex(s)]);
  nest.schedule = s;
  nest.flops = shape_flops_[ShapeIndex(s)];
  nest.vector_lanes = s.lanes;
  nest.accumulator_registers = static_cast<int>(s.rows * s.vectors);
  nest.body_instructions = s.k_unroll * (s.rows * (s.vectors + 1) + s.vectors);
  ForEachLoop(s, NumbersInto(&nest));
  // The transforms read and write each tile about twice.
  nest.AddCopy({-1, tiles * positions * Channels(), 2, true});
  nest.AddCopy({-1, tiles * positions * OutputChannels(), 2, true});
  return nest;
}

double WinogradSketch::ProductFlops(int64_t tile_inputs) const {
  return 2.0 * static_cast<double>(form_.Tiles(tile_inputs) * form_.Positions(tile_inputs)) *
         static_cast<double>(OutputChannels() * Channels());
}

double WinogradSketch::LeastFlops() const {
  double least = std::numeric_limits<double>::infinity();
  for (const std::vector<int64_t>& option : knobs_[kTileInputs].options)
    least = std::min(least, ProductFlops(option[0]));
  return least;
}

// What it costs to stream `bytes` of weights once, by the cache they fit into.
double WinogradSketch::WeightCycles(double bytes) const {
  if (bytes <= 0.5 * static_cast<double>(target_.l2_bytes)) return bytes / 32;
  return bytes / (bytes <= 0.5 * static_cast<double>(target_.l3_bytes) ? 12 : 4);
}

double WinogradSketch::EstimatedCycles(int64_t tile_inputs) const {
  const double products = static_cast<double>(form_.Tiles(tile_inputs) * form_.Positions(tile_inputs));
  const double channels = static_cast<double>(Channels()), vectors = static_cast<double>(OutputVectors());
  const double multiply = products * channels * vectors / Fma();
  const double transform = 8 * products * (static_cast<double>(CeilDiv(Channels(), lanes_)) + vectors);
  return std::max(multiply, WeightCycles(WeightBytes(tile_inputs))) + transform;
}

double WinogradSketch::DirectCycles() const {
  double outputs = static_cast<double>(OutputVectors()), taps = static_cast<double>(Channels());
  for (int axis : form_.outer_axes) outputs *= static_cast<double>(form_.tiled.Extent(axis));
  for (const WinogradWindow& window : form_.windows) {
    outputs *= static_cast<double>(form_.tiled.Extent(window.spatial_axis));
    taps *= static_cast<double>(window.taps);
  }
  return std::max(1.1 * outputs * taps / Fma(), WeightCycles(4.0 * taps * static_cast<double>(OutputChannels())));
}

int64_t WinogradSketch::BestTileInputs() const {
  int64_t best = knobs_[kTileInputs].options[0][0];
  for (const std::vector<int64_t>& option : knobs_[kTileInputs].options)
    if (EstimatedCycles(option[0]) < EstimatedCycles(best)) best = option[0];
  return best;
}

Candidate WinogradSketch::Default() const {
  Candidate candidate;
  candidate.num_knobs = static_cast<uint8_t>(knobs_.size());
  const int64_t inputs = BestTileInputs(), tiles = form_.Tiles(inputs);
  auto choose = [&](int knob, const std::function<double(const std::vector<int64_t>&)>& score) {
    const auto& options = knobs_[knob].options;
    const auto best = std::max_element(options.begin(), options.end(),
                                       [&](const auto& a, const auto& b) { return score(a) < score(b); });
    candidate.rows[knob] = static_cast<uint16_t>(best - options.begin());
    return *best;
  };
  choose(kTileInputs, [&](const auto& option) { return option[0] == inputs ? 1 : 0; });
  // Weights that do not fit in the second-level cache should be read by few passes over the tiles.
  const double weight_load = WeightBytes(inputs) > 0.5 * static_cast<double>(target_.l2_bytes) ? 3 : 1;
  const std::vector<int64_t> tile = choose(kRegister, [&](const auto& option) {
    auto useful = [](int64_t extent, int64_t step) {
      return static_cast<double>(extent) / static_cast<double>(RoundUp(extent, step));
    };
    const double fma = static_cast<double>(option[0] * option[1]);
    const double loads = static_cast<double>(option[0]) + weight_load * static_cast<double>(option[1]);
    return useful(tiles, option[0]) * useful(OutputVectors(), option[1]) * std::min(1.0, fma / (4 * Fma())) * fma /
           (fma + 0.3 * loads);
  });
  // The transformed inputs and products of a block should stay in the second-level cache.
  const double tile_bytes = 4.0 * static_cast<double>(form_.Positions(inputs) * Channels());
  choose(kRowTiles, [&](const auto& option) {
    const double bytes = tile_bytes * static_cast<double>(tile[0] * option[0]);
    return bytes <= 0.4 * static_cast<double>(target_.l2_bytes) ? static_cast<double>(option[0])
                                                                : -static_cast<double>(option[0]);
  });
  const bool one_phase = tiles >= 4 * tile[0] * target_.cores;
  choose(kTransform, [&](const auto& option) { return (option[0] == 1) == one_phase ? 1 : 0; });
  choose(kVectorTiles, [&](const auto& option) {
    return one_phase ? static_cast<double>(option[0]) : -std::abs(static_cast<double>(option[0]) - 2);
  });
  choose(kUnrollK, [&](const auto& option) { return option[0] == 4 ? 1 : 0; });
  return candidate;
}

}  // namespace

void AddWinogradSketches(const Workload& workload, const Target& target, SketchList* sketches) {
  std::optional<WinogradForm> form = AnalyseWinograd(workload);
  if (!form) return;
  const bool fits = std::all_of(form->windows.begin(), form->windows.end(), [&](const WinogradWindow& window) {
    return window.taps < 4 || (window.taps < 6 && IsAccurate(*form, 6));
  });
  if (!fits) return;
  auto sketch = std::make_unique<WinogradSketch>(std::move(*form), target);
  // The first sketch is what an untuned build uses.
  const bool first = sketch->EstimatedCycles(sketch->BestTileInputs()) < sketch->DirectCycles();
  sketches->insert(first ? sketches->begin() : sketches->end(), std::move(sketch));
}

}  // namespace tilth
