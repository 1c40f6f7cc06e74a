// Sketches of tiled reductions: matrix products, convolutions, depthwise convolutions, pooling. They differ in how the
// left operand is read.
#include <algorithm>
#include <cmath>

#include "base/math.h"
#include "search_space/rules/rules.h"
#include "search_space/task_balance.h"
#include "search_space/tiled_form.h"

namespace tilth {
namespace {

using Left = TiledSchedule::Left;

constexpr int64_t kMaxBorderTiles = 4;

// Whether tiles of `tile` elements cover an axis in fewer steps than tiles of one element less would. The last tile
// overlaps the one before it, so that a smaller tile for as many steps does the same with less work.
bool IsBalanced(int64_t extent, int64_t tile) { return CeilDiv(extent, CeilDiv(extent, tile)) == tile; }

enum KnobIndex {
  kRegister,
  kRowTiles,
  kColumnTiles,
  kVectorTiles,
  kBlockK,
  kUnrollK,
  kTileOrder,
  kTaskOrder,
  kPackRight
};

std::string SketchName(Left left) {
  switch (left) {
    case Left::kDirect:
      return "tiled/direct";
    case Left::kGuarded:
      return "tiled/guarded";
    case Left::kPadded:
      return "tiled/padded";
    case Left::kPanel:
      return "tiled/panel";
    case Left::kClipped:
      return "tiled/clipped";
  }
  return "";
}

class TiledSketch : public Sketch {
 public:
  // `flops`: of all iterations, those that clipping leaves out included.
  TiledSketch(TiledForm form, const Target& target, double flops, Left left)
      : form_(std::move(form)),
        target_(target),
        flops_(form_.clip ? flops * form_.clip->InsideShare(form_) : flops),
        left_(left),
        lanes_(LanesFor(target, form_.Extent(form_.vector_axis))) {
    name_ = SketchName(left);
    BuildKnobs();
    BuildShapes();
  }

  LoopNest Resolve(const Candidate& candidate) const override;
  Candidate Default() const override;

 private:
  void BuildKnobs();
  void BuildShapes();
  std::vector<std::vector<int64_t>> RegisterTiles() const;
  std::vector<std::vector<int64_t>> RegisterTiles(int lanes) const;
  int Lanes(const std::vector<int64_t>& tile) const { return tile.size() > 3 ? static_cast<int>(tile[3]) : lanes_; }
  int64_t BorderTiles(int64_t columns) const;
  double TileScore(const std::vector<int64_t>& tile) const;
  TiledSchedule Schedule(const Candidate& candidate) const;
  void CutIntoTasks(TiledSchedule* s) const;
  template <typename Add>
  int ForEachLoop(const TiledSchedule& s, Add add) const;
  void AddAccesses(const TiledSchedule& s, NestShape* shape) const;
  void AddAccess(const Expr& load, bool packed, NestShape* shape) const;
  void AddCopies(const TiledSchedule& s, LoopNest* nest) const;

  int64_t Rows() const { return form_.Extent(form_.row_axis); }
  int64_t Columns() const { return form_.Extent(form_.column_axis); }
  bool PacksByDefault() const;
  int64_t VectorExtent() const { return form_.Extent(form_.vector_axis); }
  bool CanBlockK() const {
    return form_.reduce.reduction == Reduction::kSum && form_.right &&
           !(form_.clip && form_.clip->ClipsColumns(form_.split_axis));
  }

  TiledForm form_;
  Target target_;
  double flops_;
  Left left_;
  int lanes_;                        // of the widest vectors
  std::array<NestShape, 8> shapes_;  // by ShapeIndex
  int64_t outer_tasks_ = 1;          // product of the outer axes
  int64_t pad_elements_ = 0;         // of the padded copy
  int64_t panel_elements_ = 0;       // of all panels of one vector block
  int64_t right_elements_ = 0;       // packed in every run
};

// What decides on the order of loops and the kinds of accesses.
size_t ShapeIndex(const TiledSchedule& s) {
  return (s.vectors_inside ? 1 : 0) + (s.vector_major_tasks ? 2 : 0) + (s.pack_right ? 4 : 0);
}

// Tiles of `columns` columns that have code of their own because the window is clipped there.
int64_t TiledSketch::BorderTiles(int64_t columns) const {
  int64_t count = 0;
  for (int64_t start = 0; form_.clip && start < Columns(); start += columns)
    count += form_.clip->IsInterior(form_, std::min(start, Columns() - columns), columns) ? 0 : 1;
  return count;
}

// As options of tile.register: [rows, columns, vectors], and the lanes where vectors are not the widest. Vectors half
// as wide are offered where they leave fewer lanes unused.
std::vector<std::vector<int64_t>> TiledSketch::RegisterTiles() const {
  std::vector<std::vector<int64_t>> tiles = RegisterTiles(lanes_);
  const int half = lanes_ / 2;
  if (half < 4 || CeilDiv(VectorExtent(), half) * half >= CeilDiv(VectorExtent(), lanes_) * lanes_) return tiles;
  for (std::vector<int64_t>& tile : RegisterTiles(half)) {
    tile.push_back(half);
    tiles.push_back(std::move(tile));
  }
  return tiles;
}

// Every balanced tile that fits the register file.
std::vector<std::vector<int64_t>> TiledSketch::RegisterTiles(int lanes) const {
  std::vector<std::vector<int64_t>> tiles;
  const int64_t max_vectors = CeilDiv(VectorExtent(), lanes);
  for (int64_t rows : {1, 2, 3, 4, 7}) {
    if (rows > Rows()) break;
    if (!IsBalanced(Rows(), rows)) continue;
    // Clipped loops over taps are as long for every point of a tile.
    if (rows > 1 && form_.clip && !form_.clip->rows.empty()) break;
    for (int64_t columns = 1; columns <= std::min<int64_t>(Columns(), 28); ++columns) {
      if (rows > 1 && columns > 14) break;
      if (!IsBalanced(Columns(), columns) || BorderTiles(columns) > kMaxBorderTiles) continue;
      for (int64_t vectors : {1, 2, 3, 4, 5, 6, 8, 12}) {
        if (vectors > max_vectors) break;
        if (!IsBalanced(max_vectors, vectors)) continue;
        if (FitsRegisters(target_, rows * columns * vectors, form_.right ? vectors : 0, form_.left_along_vector))
          tiles.push_back({rows, columns, vectors});
      }
    }
  }
  return tiles;
}

void TiledSketch::BuildKnobs() {
  knobs_.resize(kPackRight + 1);
  knobs_[kRegister] = {"tile.register", RegisterTiles()};
  knobs_[kRowTiles] = {"block.rows", PowersUpTo(Rows(), 8)};
  knobs_[kColumnTiles] = {"block.columns", PowersUpTo(Columns(), 12)};
  knobs_[kVectorTiles] = {"block.vectors", PowersUpTo(CeilDiv(VectorExtent(), lanes_), 10)};
  const int64_t split = form_.Extent(form_.split_axis);
  knobs_[kBlockK] = {"block.k", {{split}}};
  if (CanBlockK())
    for (int64_t k : {64, 128, 192, 256, 384, 512, 768, 1024, 2048})
      if (k < split) knobs_[kBlockK].options.push_back({k});
  knobs_[kUnrollK] = {"unroll.k", {{1}}};
  for (int64_t unroll : {2, 3, 4, 5, 7, 8})
    if (unroll <= split) knobs_[kUnrollK].options.push_back({unroll});
  // Small windows may be unrolled whole.
  if (form_.left_along_vector && form_.ReductionLength() > split && form_.ReductionLength() <= 25)
    knobs_[kUnrollK].options.push_back({form_.ReductionLength()});
  knobs_[kTileOrder] = {"order.tiles", {{0}, {1}}};
  knobs_[kTaskOrder] = {"order.tasks", {{0}, {1}}};
  knobs_[kPackRight] = {"pack.right", {{form_.right ? 1 : 0}}};
  // Reading it in place pays only where its vectors are contiguous.
  if (form_.right && AsAffine(form_.right->args[0], form_.reduce.num_axes())->coefficients[form_.vector_axis] == 1)
    knobs_[kPackRight].options.push_back({0});
}

TiledSchedule TiledSketch::Schedule(const Candidate& candidate) const {
  TiledSchedule s;
  const std::vector<int64_t>& tile = Option(candidate, kRegister);
  s.lanes = Lanes(tile);
  s.rows = tile[0];
  s.columns = tile[1];
  s.vectors = tile[2];
  s.row_tiles = std::min(Option(candidate, kRowTiles)[0], CeilDiv(Rows(), s.rows));
  s.column_tiles = std::min(Option(candidate, kColumnTiles)[0], CeilDiv(Columns(), s.columns));
  s.vector_tiles = std::min(Option(candidate, kVectorTiles)[0], CeilDiv(VectorExtent(), s.lanes * s.vectors));
  s.k_block = Option(candidate, kBlockK)[0];
  s.k_unroll = Option(candidate, kUnrollK)[0];
  // Longer bodies only cost compile time and instruction cache.
  const int64_t body = s.rows * s.columns * s.vectors;
  while (s.k_unroll > 1 && s.k_unroll * body > kMaxUnrolledBody) s.k_unroll = (s.k_unroll + 1) / 2;
  s.vectors_inside = Option(candidate, kTileOrder)[0] == 1;
  s.vector_major_tasks = Option(candidate, kTaskOrder)[0] == 1;
  s.pack_right = Option(candidate, kPackRight)[0] == 1;
  s.left = left_;
  CutIntoTasks(&s);
  return s;
}

void TiledSketch::CutIntoTasks(TiledSchedule* s) const {
  TaskAxis rows = {CeilDiv(Rows(), s->rows), s->row_tiles}, columns = {CeilDiv(Columns(), s->columns), s->column_tiles},
           vectors = {CeilDiv(VectorExtent(), s->lanes * s->vectors), s->vector_tiles};
  BalanceTasks(outer_tasks_, flops_, {&rows, &columns, &vectors});
  s->row_tiles = rows.per_task;
  s->column_tiles = columns.per_task;
  s->vector_tiles = vectors.per_task;
}

// Calls add(axis, extent, step, kind) for each loop, outermost first; which axes and kinds depends on ShapeIndex(s)
// alone. Returns how many of them make tasks.
template <typename Add>
int TiledSketch::ForEachLoop(const TiledSchedule& s, Add add_loop) const {
  int num_loops = 0;
  auto add = [&](int axis, int64_t extent, int64_t step, LoopKind kind) {
    if (axis < 0) return;
    add_loop(axis, extent, step, kind);
    ++num_loops;
  };
  const int64_t n_step = static_cast<int64_t>(s.lanes) * s.vectors;
  auto add_vector_blocks = [&] {
    add(form_.vector_axis, CeilDiv(VectorExtent(), n_step * s.vector_tiles), n_step * s.vector_tiles,
        LoopKind::kParallel);
  };
  if (s.vector_major_tasks) add_vector_blocks();
  for (int axis : form_.outer_axes) add(axis, form_.Extent(axis), 1, LoopKind::kParallel);
  add(form_.row_axis, CeilDiv(Rows(), s.rows * s.row_tiles), s.rows * s.row_tiles, LoopKind::kParallel);
  add(form_.column_axis, CeilDiv(Columns(), s.columns * s.column_tiles), s.columns * s.column_tiles,
      LoopKind::kParallel);
  if (!s.vector_major_tasks) add_vector_blocks();
  const int num_task_loops = num_loops;

  const int64_t split = form_.Extent(form_.split_axis);
  add(form_.split_axis, CeilDiv(split, s.k_block), s.k_block, LoopKind::kSerial);
  auto add_vector_tiles = [&] { add(form_.vector_axis, s.vector_tiles, n_step, LoopKind::kSerial); };
  if (!s.vectors_inside) add_vector_tiles();
  add(form_.row_axis, s.row_tiles, s.rows, LoopKind::kSerial);
  add(form_.column_axis, s.column_tiles, s.columns, LoopKind::kSerial);
  if (s.vectors_inside) add_vector_tiles();
  for (int axis : form_.reduce_axes) {
    if (axis != form_.split_axis) {
      add(axis, form_.Extent(axis), 1, LoopKind::kSerial);
      continue;
    }
    add(axis, CeilDiv(std::min(s.k_block, split), s.k_unroll), s.k_unroll, LoopKind::kSerial);
  }
  add(form_.split_axis, s.k_unroll, 1, LoopKind::kUnrolled);
  add(form_.row_axis, s.rows, 1, LoopKind::kUnrolled);
  add(form_.column_axis, s.columns, 1, LoopKind::kUnrolled);
  add(form_.vector_axis, s.vectors, s.lanes, LoopKind::kUnrolled);
  add(form_.vector_axis, s.lanes, 1, LoopKind::kVector);
  return num_task_loops;
}

void TiledSketch::BuildShapes() {
  for (int axis : form_.outer_axes) outer_tasks_ *= form_.Extent(axis);
  if (form_.pad_copy) pad_elements_ = form_.pad_copy->SpatialSize();
  panel_elements_ = Rows() * Columns() * form_.ReductionLength() * outer_tasks_;
  if (form_.right && !form_.IsConstantRight()) right_elements_ = NumElements(form_.tensors[form_.right_tensor].shape);
  TiledSchedule s;
  s.left = left_;
  for (bool inside : {false, true}) {
    for (bool vector_major : {false, true}) {
      for (bool pack : {false, true}) {
        s.vectors_inside = inside;
        s.vector_major_tasks = vector_major;
        s.pack_right = pack;
        NestShape& shape = shapes_[ShapeIndex(s)];
        shape.sketch = name_;
        shape.axis_extents = form_.reduce.extents;
        shape.num_task_loops = ForEachLoop(s, StructureInto(&shape));
        AddAccesses(s, &shape);
      }
    }
  }
}

void TiledSketch::AddAccess(const Expr& load, bool packed, NestShape* shape) const {
  const std::optional<Affine> index = AsAffine(load->args[0], form_.reduce.num_axes());
  NestAccess access;
  access.tensor = load->id;
  access.element_bytes = SizeInBytes(form_.tensors[load->id].dtype);
  access.num_elements = NumElements(form_.tensors[load->id].shape);
  access.coefficients = index ? index->coefficients : std::vector<int64_t>(form_.reduce.num_axes(), 0);
  access.is_packed = packed;
  shape->accesses.push_back(std::move(access));
}

void TiledSketch::AddAccesses(const TiledSchedule& s, NestShape* shape) const {
  expr::Visit(form_.left, [&](const ExprNode& node) {
    if (node.op == ExprOp::kLoad) AddAccess(expr::Load(node.id, node.dtype, node.args), s.left == Left::kPanel, shape);
  });
  if (form_.right) AddAccess(form_.right, s.pack_right, shape);
  NestAccess store;
  store.tensor = form_.result;
  store.is_store = true;
  store.element_bytes = SizeInBytes(form_.tensors[form_.result].dtype);
  store.num_elements = NumElements(form_.tensors[form_.result].shape);
  store.coefficients = AsAffine(form_.result_index, form_.reduce.num_axes())->coefficients;
  shape->accesses.push_back(std::move(store));
  if (!form_.epilogue) return;
  expr::Visit(form_.epilogue->value, [&](const ExprNode& node) {
    if (node.op == ExprOp::kLoad && node.id != form_.reduce.output)
      AddAccess(expr::Load(node.id, node.dtype, node.args), false, shape);
  });
}

void TiledSketch::AddCopies(const TiledSchedule& s, LoopNest* nest) const {
  if (pad_elements_ > 0) nest->AddCopy({form_.pad_copy->output, pad_elements_, 1, true});
  if (s.left == Left::kPanel) {
    const int64_t vector_blocks = CeilDiv(VectorExtent(), static_cast<int64_t>(s.lanes) * s.vectors * s.vector_tiles);
    nest->AddCopy({-1, panel_elements_, vector_blocks, false});
  }
  if (s.pack_right && right_elements_ > 0) nest->AddCopy({form_.right_tensor, right_elements_, 1, false});
}

LoopNest TiledSketch::Resolve(const Candidate& candidate) const {
  const TiledSchedule s = Schedule(candidate);
  LoopNest nest(&shapes_[ShapeIndex(s)]);
  nest.schedule = s;
  nest.flops = flops_;
  nest.vector_lanes = s.lanes;
  nest.accumulator_registers = static_cast<int>(s.rows * s.columns * s.vectors);
  nest.body_instructions = s.k_unroll * (s.rows * s.columns * (s.vectors + 1) + s.vectors);
  ForEachLoop(s, NumbersInto(&nest));
  AddCopies(s, &nest);
  return nest;
}

// How much of the arithmetic is useful, and how far loads and latency leave it at full rate.
double TiledSketch::TileScore(const std::vector<int64_t>& tile) const {
  auto useful = [](int64_t extent, int64_t step) {
    return static_cast<double>(extent) / static_cast<double>(CeilDiv(extent, step) * step);
  };
  const double points = static_cast<double>(tile[0] * tile[1]), vectors = static_cast<double>(tile[2]);
  const double fma = points * vectors, rate = FmasPerCycle(target_, Lanes(tile));
  const double loads = (form_.left_along_vector ? fma : points) + (form_.right ? vectors : 0);
  const double latency = std::min(1.0, fma / (4.0 * rate));
  const double issue = std::min(1.0, fma / (loads * rate / 2.0 + 0.15 * fma));
  const double elements_per_cycle = rate * Lanes(tile);
  return useful(Rows(), tile[0]) * useful(Columns(), tile[1]) * useful(VectorExtent(), tile[2] * Lanes(tile)) *
         elements_per_cycle * latency * issue * fma / (fma + 0.1 * loads);
}

// Weights are packed beforehand; another operand pays for it in every run, and gains where its rows are pages apart.
bool TiledSketch::PacksByDefault() const {
  constexpr int64_t kPageElements = 4096 / sizeof(float);
  if (knobs_[kPackRight].options.size() == 1 || form_.IsConstantRight()) return true;
  return AsAffine(form_.right->args[0], form_.reduce.num_axes())->coefficients[form_.split_axis] >= kPageElements;
}

Candidate TiledSketch::Default() const {
  Candidate candidate;
  candidate.num_knobs = static_cast<uint8_t>(knobs_.size());
  const auto& tiles = knobs_[kRegister].options;
  const auto best = std::max_element(tiles.begin(), tiles.end(),
                                     [&](const auto& a, const auto& b) { return TileScore(a) < TileScore(b); });
  candidate.rows[kRegister] = static_cast<uint16_t>(best - tiles.begin());
  auto choose = [&](int knob, int64_t wanted) {
    const auto& options = knobs_[knob].options;
    uint16_t row = 0;
    for (size_t i = 0; i < options.size(); ++i)
      if (options[i][0] <= wanted && options[i][0] >= options[row][0]) row = static_cast<uint16_t>(i);
    candidate.rows[knob] = row;
  };
  choose(kRowTiles, 4);
  choose(kColumnTiles, 16);
  choose(kVectorTiles, 4);
  choose(kUnrollK, 4);
  choose(kTileOrder, 0);
  choose(kTaskOrder, 0);
  candidate.rows[kPackRight] = PacksByDefault() ? 0 : 1;
  return candidate;
}

}  // namespace

void AddTiledSketches(const Workload& workload, const Target& target, SketchList* sketches) {
  std::optional<TiledForm> form = AnalyseTiled(workload, /*pad=*/false);
  if (!form || form->reduce.num_axes() > kMaxAxes) return;
  const double flops = Flops(workload);
  const bool guarded = !form->guards.empty();
  const bool broadcast_left = form->right && !form->left_along_vector;
  std::optional<TiledForm> padded = guarded ? AnalyseTiled(workload, /*pad=*/true) : std::nullopt;
  const std::optional<TiledForm> clipped = guarded ? AnalyseClipped(workload) : std::nullopt;
  auto add = [&](const TiledForm& f, Left left) {
    sketches->push_back(std::make_unique<TiledSketch>(f, target, flops, left));
  };
  if (clipped) add(*clipped, Left::kClipped);
  if (padded) add(*padded, Left::kPadded);
  // Guarded border tiles do what clipped ones do, more slowly.
  if (!clipped) add(*form, guarded ? Left::kGuarded : Left::kDirect);
  if (broadcast_left) add(*form, Left::kPanel);
}

}  // namespace tilth
