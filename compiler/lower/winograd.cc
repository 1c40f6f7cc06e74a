// The program of a Winograd convolution. P is the number of positions of a transformed tile, a block is the tiles of
// one task:
//
//   prepare, per vector of output channels:  weights[vector tile][P][c][lane] = G w Gᵀ
//   [per group of tiles:                     inputs[block][P][tile][c] = Bᵀ d B]     or at the start of each task
//   task = (block, vector block)
//     for vector tile
//       for position, row tile: products[tile][P][lane] = sum over c of inputs * weights
//       for tile: output = epilogue(Aᵀ products A), cut where the output ends
//
// A tile of the input that reaches into the padding is assembled in a patch of scratch first.
#include "compiler/lower/winograd.h"

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/math.h"
#include "compiler/lower/program_builder.h"
#include "compiler/lower/winograd_transform.h"
#include "search_space/winograd_form.h"

namespace tilth {
namespace {

// Tiles that a task of the separate transform phase takes: enough to hide the cost of a task.
constexpr int64_t kTilesPerTransformTask = 4;

class WinogradLowering {
 public:
  WinogradLowering(WinogradForm form, const WinogradSchedule& schedule, const std::string& name);

  LoopProgram Run() {
    AddWeightPhase();
    if (!s_.transform_in_task) AddInputPhase();
    AddTilePhase();
    return std::move(builder_.program());
  }

 private:
  using OneDimension = std::vector<Expr> (WinogradTransform::*)(const std::vector<Expr>&,
                                                                const WinogradTransform::Keep&) const;
  // Where an element of a tile is read or written: one index per window, and the lane of a vector.
  using Position = std::vector<Expr>;
  using Place = std::function<Expr(const Position& position, const Expr& lane)>;
  using Assign = std::function<Stmt(const Position& position, const Expr& lane, const Expr& value)>;

  void AddWeightPhase();
  void AddInputPhase();
  void AddTilePhase();
  StmtList Transform(OneDimension map, const std::vector<int64_t>& extents, const Place& read, const Assign& write);
  Stmt Line(OneDimension map, size_t window, int64_t extent,
            const std::function<Expr(const Expr& at, const Expr& lane)>& read,
            const std::function<Stmt(const Expr& at, const Expr& lane, const Expr& value)>& write);
  StmtList TransformWeights(const Expr& vector, const Expr& channel, int64_t active);
  StmtList TransformInput(const Expr& tile, const Expr& to);
  StmtList FillPatch(std::vector<Expr> axes, const std::vector<Expr>& origin, const Expr& channels, int64_t active);
  StmtList Products(const Expr& inputs, const Expr& vector_tile, const Expr& row_tiles);
  StmtList StoreTile(const Expr& tile, const Expr& local, const Expr& vector_tile, const Expr& vector, int64_t active);

  Stmt VectorLoop(int64_t active, const std::function<StmtList(const Expr& lane)>& body) {
    const Expr lane = builder_.NewVariable("lane");
    return For(lane->id, LoopKind::kVector, expr::Int(active), body(lane), s_.lanes);
  }
  Stmt Serial(const Expr& variable, const Expr& extent, StmtList body) const {
    return For(variable->id, LoopKind::kSerial, extent, std::move(body));
  }
  Expr PatchIndex(const Position& at, const Expr& lane) const {
    return expr::Add(expr::Mul(InTile(at), expr::Int(s_.lanes)), lane);
  }
  // Loops over the dimensions of a tile; `body` gets the variables.
  StmtList OverTile(const std::vector<Expr>& extents, const std::function<StmtList(const std::vector<Expr>&)>& body);
  // The axes of the convolution at window positions `at` (reduced axes zero), for tile number `tile`.
  std::vector<Expr> OuterAxes(const Expr& tile, std::vector<Expr>* origin) const;
  Expr InTile(const Position& position) const {
    Expr index = position[0];
    if (position.size() == 2) index = expr::Add(expr::Mul(index, expr::Int(s_.tile_inputs)), position[1]);
    return index;
  }
  Expr CountIn(const Expr& block, int64_t per_block) const {
    if (tiles_ % per_block == 0) return expr::Int(per_block);
    return expr::Min(expr::Int(per_block), expr::Sub(expr::Int(tiles_), expr::Mul(block, expr::Int(per_block))));
  }
  int64_t Channels() const { return form_.tiled.Extent(form_.channel_axis); }
  int64_t OutputChannels() const { return form_.tiled.Extent(form_.tiled.vector_axis); }

  WinogradForm form_;
  WinogradSchedule s_;
  ProgramBuilder builder_;
  std::vector<WinogradTransform> transforms_;  // per window
  int64_t positions_ = 1, tiles_ = 1;
  int64_t block_tiles_ = 1, blocks_ = 1;
  int64_t channel_stride_ = 1;  // channels of the transformed input, whole vectors
  int64_t vector_step_ = 1, vector_tiles_ = 1, vectors_per_task_ = 1;
  int weights_ = -1, inputs_ = -1, patch_ = -1, between_ = -1, products_ = -1, outputs_ = -1;
};

WinogradLowering::WinogradLowering(WinogradForm form, const WinogradSchedule& schedule, const std::string& name)
    : form_(std::move(form)), s_(schedule), builder_(name, form_.tiled.tensors) {
  for (const WinogradWindow& window : form_.windows) transforms_.emplace_back(s_.tile_inputs, window.taps);
  positions_ = form_.Positions(s_.tile_inputs);
  tiles_ = form_.Tiles(s_.tile_inputs);
  block_tiles_ = s_.rows * s_.row_tiles;
  blocks_ = CeilDiv(tiles_, block_tiles_);
  channel_stride_ = RoundUp(Channels(), s_.lanes);
  vector_step_ = s_.lanes * s_.vectors;
  vector_tiles_ = CeilDiv(OutputChannels(), vector_step_);
  vectors_per_task_ = std::min(s_.vector_tiles, vector_tiles_);

  auto scratch = [&](const char* buffer, int64_t elements) {
    return builder_.NewBuffer(buffer, BufferScope::kScratch, elements);
  };
  weights_ =
      builder_.NewBuffer("weights", BufferScope::kPacked, vector_tiles_ * positions_ * Channels() * vector_step_);
  inputs_ = builder_.NewBuffer("inputs", s_.transform_in_task ? BufferScope::kScratch : BufferScope::kWorkspace,
                               (s_.transform_in_task ? 1 : blocks_) * positions_ * block_tiles_ * channel_stride_);
  patch_ = scratch("patch", positions_ * s_.lanes);
  between_ = scratch("between", positions_ * s_.lanes);
  products_ = scratch("products", block_tiles_ * positions_ * vector_step_);
  outputs_ = scratch("outputs", positions_ * s_.lanes);
}

// Applies `map` along every dimension of a tile of `extents` elements, one loop a dimension, through scratch between
// them. Loops, not one straight line: a tile does not fit in the registers anyway, and the code is compiled per trial.
StmtList WinogradLowering::Transform(OneDimension map, const std::vector<int64_t>& extents, const Place& read,
                                     const Assign& write) {
  const bool flat = extents.size() == 1;
  const Expr column = builder_.NewVariable("column"), row = builder_.NewVariable("row");
  auto between = [&](const Expr& i, const Expr& j, const Expr& lane) {
    const Expr at = expr::Add(expr::Mul(i, expr::Int(s_.tile_inputs)), j);
    return expr::Add(expr::Mul(at, expr::Int(s_.lanes)), lane);
  };
  int64_t rows = 0;
  StmtList first = {Line(
      map, 0, extents[0],
      [&](const Expr& i, const Expr& lane) { return read(flat ? Position{i} : Position{i, column}, lane); },
      [&](const Expr& i, const Expr& lane, const Expr& value) {
        ++rows;
        if (flat) return write({i}, lane, value);
        return Store(between_, between(i, column, lane), value);
      })};
  if (flat) return first;
  StmtList second = {Line(
      map, 1, extents[1],
      [&](const Expr& j, const Expr& lane) { return expr::Load(between_, DType::kF32, {between(row, j, lane)}); },
      [&](const Expr& j, const Expr& lane, const Expr& value) { return write({row, j}, lane, value); })};
  StmtList result;
  result.push_back(Serial(column, expr::Int(extents[1]), std::move(first)));
  result.push_back(Serial(row, expr::Int(rows), std::move(second)));
  return result;
}

// One vector of `map` along window `window`.
Stmt WinogradLowering::Line(OneDimension map, size_t window, int64_t extent,
                            const std::function<Expr(const Expr& at, const Expr& lane)>& read,
                            const std::function<Stmt(const Expr& at, const Expr& lane, const Expr& value)>& write) {
  return VectorLoop(s_.lanes, [&](const Expr& lane) {
    StmtList body;
    const int kept = builder_.NewBuffer("kept", BufferScope::kRegister, 0, s_.lanes);
    int64_t slots = 0;
    const WinogradTransform::Keep keep = [&](const Expr& value) {
      const Expr index = expr::Add(expr::Int(slots++ * s_.lanes), lane);
      body.push_back(Store(kept, index, value));
      return expr::Load(kept, DType::kF32, {index});
    };
    std::vector<Expr> values;
    for (int64_t i = 0; i < extent; ++i) values.push_back(keep(read(expr::Int(i), lane)));
    const std::vector<Expr> results = (transforms_[window].*map)(values, keep);
    for (size_t i = 0; i < results.size(); ++i)
      body.push_back(write(expr::Int(static_cast<int64_t>(i)), lane, results[i]));
    builder_.program().buffers[kept].num_elements = slots * s_.lanes;
    return body;
  });
}

void WinogradLowering::AddWeightPhase() {
  LoopPhase phase;
  phase.name = "weights";
  phase.prepare = true;
  const Expr task = builder_.NewVariable("task"), channel = builder_.NewVariable("channel");
  phase.task_var = task->id;
  phase.num_tasks = vector_tiles_ * s_.vectors;
  auto over_channels = [&](int64_t active) {
    StmtList loop;
    loop.push_back(Serial(channel, expr::Int(Channels()), TransformWeights(task, channel, active)));
    return loop;
  };
  // Vectors of channels, then one that is partly there, then those that only fill the last tile.
  const int64_t whole = OutputChannels() / s_.lanes, rest = OutputChannels() % s_.lanes;
  StmtList past_the_end;
  if (phase.num_tasks > whole) past_the_end = over_channels(0);
  if (rest != 0) {
    StmtList partial = over_channels(rest), choice;
    choice.push_back(If(expr::LessThan(task, expr::Int(whole + 1)), std::move(partial), std::move(past_the_end)));
    past_the_end = std::move(choice);
  }
  if (whole > 0)
    phase.body.push_back(If(expr::LessThan(task, expr::Int(whole)), over_channels(s_.lanes), std::move(past_the_end)));
  else
    phase.body = std::move(past_the_end);
  builder_.program().phases.push_back(std::move(phase));
}

StmtList WinogradLowering::TransformWeights(const Expr& vector, const Expr& channel, int64_t active) {
  const TiledForm& tiled = form_.tiled;
  std::vector<int64_t> taps;
  std::vector<Expr> extents;
  for (const WinogradWindow& window : form_.windows) {
    taps.push_back(window.taps);
    extents.push_back(expr::Int(window.taps));
  }
  // The weights are gathered across output channels into the patch first.
  StmtList result = OverTile(extents, [&](const Position& at) {
    StmtList body;
    auto set = [&](int64_t lanes, const std::function<Expr(const Expr& lane)>& value) {
      body.push_back(VectorLoop(lanes, [&](const Expr& lane) {
        StmtList store;
        store.push_back(Store(patch_, PatchIndex(at, lane), value(lane)));
        return store;
      }));
    };
    if (active < s_.lanes) set(s_.lanes, [](const Expr&) { return expr::Float(0); });
    if (active == 0) return body;
    std::vector<Expr> axes(tiled.reduce.num_axes(), expr::Int(0));
    axes[form_.channel_axis] = channel;
    for (size_t w = 0; w < at.size(); ++w) axes[form_.windows[w].reduce_axis] = at[w];
    set(active, [&](const Expr& lane) {
      axes[tiled.vector_axis] = expr::Add(expr::Mul(vector, expr::Int(s_.lanes)), lane);
      return builder_.Bind(tiled.right, axes);
    });
    return body;
  });
  const Expr vector_tile = expr::FloorDiv(vector, s_.vectors), in_tile = expr::Mod(vector, s_.vectors);
  StmtList transform = Transform(
      &WinogradTransform::Weights, taps,
      [&](const Position& at, const Expr& lane) { return expr::Load(patch_, DType::kF32, {PatchIndex(at, lane)}); },
      [&](const Position& at, const Expr& lane, const Expr& value) {
        Expr index = expr::Add(expr::Mul(vector_tile, expr::Int(positions_)), InTile(at));
        index = expr::Add(expr::Mul(index, expr::Int(Channels())), channel);
        index = expr::Add(expr::Mul(index, expr::Int(vector_step_)), expr::Mul(in_tile, expr::Int(s_.lanes)));
        return Store(weights_, expr::Add(index, lane), value);
      });
  for (Stmt& stmt : transform) result.push_back(std::move(stmt));
  return result;
}

void WinogradLowering::AddInputPhase() {
  LoopPhase phase;
  phase.name = "inputs";
  const Expr task = builder_.NewVariable("task"), in_task = builder_.NewVariable("tile");
  phase.task_var = task->id;
  phase.num_tasks = CeilDiv(tiles_, kTilesPerTransformTask);
  const Expr tile = expr::Add(expr::Mul(task, expr::Int(kTilesPerTransformTask)), in_task);
  const Expr block = expr::FloorDiv(tile, block_tiles_), local = expr::Mod(tile, block_tiles_);
  const Expr to = expr::Add(expr::Mul(block, expr::Int(positions_ * block_tiles_ * channel_stride_)),
                            expr::Mul(local, expr::Int(channel_stride_)));
  phase.body.push_back(Serial(in_task, CountIn(task, kTilesPerTransformTask), TransformInput(tile, to)));
  builder_.program().phases.push_back(std::move(phase));
}

std::vector<Expr> WinogradLowering::OuterAxes(const Expr& tile, std::vector<Expr>* origin) const {
  std::vector<int64_t> extents;
  for (int axis : form_.outer_axes) extents.push_back(form_.tiled.Extent(axis));
  for (size_t w = 0; w < form_.windows.size(); ++w) extents.push_back(form_.TilesAlong(w, s_.tile_inputs));
  const std::vector<Expr> digits = Digits(tile, extents);
  std::vector<Expr> axes(form_.tiled.reduce.num_axes(), expr::Int(0));
  size_t next = 0;
  for (int axis : form_.outer_axes) axes[axis] = digits[next++];
  for (const WinogradTransform& transform : transforms_)
    origin->push_back(expr::Mul(digits[next++], expr::Int(transform.outputs())));
  return axes;
}

StmtList WinogradLowering::TransformInput(const Expr& tile, const Expr& to) {
  std::vector<Expr> origin;
  std::vector<Expr> axes = OuterAxes(tile, &origin);
  Expr interior = expr::Bool(true);
  for (size_t w = 0; w < origin.size(); ++w) {
    const WinogradWindow& window = form_.windows[w];
    if (window.first > 0) interior = expr::And(interior, expr::LessEqual(expr::Int(window.first), origin[w]));
    interior = expr::And(interior, expr::LessEqual(origin[w], expr::Int(window.last - s_.tile_inputs + 1)));
  }
  const Expr vector = builder_.NewVariable("vector");
  const Expr channels = expr::Mul(vector, expr::Int(s_.lanes));
  const std::vector<int64_t> extents(form_.windows.size(), s_.tile_inputs);
  const Assign write = [&](const Position& at, const Expr& lane, const Expr& value) {
    const Expr index = expr::Add(to, expr::Mul(InTile(at), expr::Int(block_tiles_ * channel_stride_)));
    return Store(inputs_, expr::Add(index, expr::Add(channels, lane)), value);
  };
  StmtList direct, patched;
  direct = Transform(
      &WinogradTransform::Inputs, extents,
      [&](const Position& at, const Expr& lane) {
        for (size_t w = 0; w < at.size(); ++w) axes[form_.windows[w].spatial_axis] = expr::Add(origin[w], at[w]);
        axes[form_.channel_axis] = expr::Add(channels, lane);
        return builder_.Bind(form_.tiled.left, axes);
      },
      write);
  const int64_t whole = Channels() / s_.lanes, rest = Channels() % s_.lanes;
  if (rest == 0) {
    patched = FillPatch(axes, origin, channels, s_.lanes);
  } else {
    StmtList partial = FillPatch(axes, origin, channels, rest);
    if (whole == 0) {
      patched = std::move(partial);
    } else {
      StmtList full = FillPatch(axes, origin, channels, s_.lanes);
      patched.push_back(If(expr::LessThan(vector, expr::Int(whole)), std::move(full), std::move(partial)));
    }
  }
  StmtList transform = Transform(
      &WinogradTransform::Inputs, extents,
      [&](const Position& at, const Expr& lane) { return expr::Load(patch_, DType::kF32, {PatchIndex(at, lane)}); },
      write);
  for (Stmt& stmt : transform) patched.push_back(std::move(stmt));
  if (rest != 0) interior = expr::And(interior, expr::LessThan(vector, expr::Int(whole)));
  StmtList choice, result;
  choice.push_back(If(interior, std::move(direct), std::move(patched)));
  result.push_back(Serial(vector, expr::Int(channel_stride_ / s_.lanes), std::move(choice)));
  return result;
}

StmtList WinogradLowering::OverTile(const std::vector<Expr>& extents,
                                    const std::function<StmtList(const std::vector<Expr>&)>& body) {
  std::vector<Expr> at;
  for (size_t w = 0; w < extents.size(); ++w) at.push_back(builder_.NewVariable(StrCat("p", w)));
  StmtList result = body(at);
  for (size_t w = extents.size(); w-- > 0;) {
    StmtList loop;
    loop.push_back(Serial(at[w], extents[w], std::move(result)));
    result = std::move(loop);
  }
  return result;
}

// patch = the part of the tile at `origin` that exists, zero around it.
StmtList WinogradLowering::FillPatch(std::vector<Expr> axes, const std::vector<Expr>& origin, const Expr& channels,
                                     int64_t active) {
  const std::vector<Expr> all(origin.size(), expr::Int(s_.tile_inputs));
  StmtList result = OverTile(all, [&](const std::vector<Expr>& at) {
    StmtList body;
    body.push_back(VectorLoop(s_.lanes, [&](const Expr& lane) {
      StmtList store;
      store.push_back(Store(patch_, PatchIndex(at, lane), expr::Float(0)));
      return store;
    }));
    return body;
  });
  std::vector<Expr> first, count;
  for (size_t w = 0; w < origin.size(); ++w) {
    const WinogradWindow& window = form_.windows[w];
    first.push_back(expr::Max(expr::Int(0), expr::Sub(expr::Int(window.first), origin[w])));
    const Expr end = expr::Min(expr::Int(s_.tile_inputs), expr::Sub(expr::Int(window.last + 1), origin[w]));
    count.push_back(expr::Sub(end, first[w]));
  }
  StmtList copy = OverTile(count, [&](const std::vector<Expr>& step) {
    std::vector<Expr> at;
    for (size_t w = 0; w < step.size(); ++w) {
      at.push_back(expr::Add(first[w], step[w]));
      axes[form_.windows[w].spatial_axis] = expr::Add(origin[w], at[w]);
    }
    StmtList body;
    body.push_back(VectorLoop(active, [&](const Expr& lane) {
      axes[form_.channel_axis] = expr::Add(channels, lane);
      StmtList store;
      store.push_back(Store(patch_, PatchIndex(at, lane), builder_.Bind(form_.tiled.left, axes)));
      return store;
    }));
    return body;
  });
  for (Stmt& stmt : copy) result.push_back(std::move(stmt));
  return result;
}

void WinogradLowering::AddTilePhase() {
  LoopPhase phase;
  phase.name = "tiles";
  const Expr task = builder_.NewVariable("task");
  phase.task_var = task->id;
  const int64_t vector_blocks = CeilDiv(vector_tiles_, vectors_per_task_);
  phase.num_tasks = blocks_ * vector_blocks;
  const std::vector<Expr> digits =
      s_.vector_major_tasks ? Digits(task, {vector_blocks, blocks_}) : Digits(task, {blocks_, vector_blocks});
  const Expr block = digits[s_.vector_major_tasks ? 1 : 0], vector_block = digits[s_.vector_major_tasks ? 0 : 1];
  const Expr count = CountIn(block, block_tiles_);
  const Expr first_tile = expr::Mul(block, expr::Int(block_tiles_));
  if (s_.transform_in_task) {
    const Expr local = builder_.NewVariable("tile");
    phase.body.push_back(Serial(
        local, count, TransformInput(expr::Add(first_tile, local), expr::Mul(local, expr::Int(channel_stride_)))));
  }
  const Expr inputs =
      s_.transform_in_task ? expr::Int(0) : expr::Mul(block, expr::Int(positions_ * block_tiles_ * channel_stride_));
  const Expr in_block = builder_.NewVariable("vector_tile");
  const Expr vector_tile = expr::Add(expr::Mul(vector_block, expr::Int(vectors_per_task_)), in_block);
  Expr vector_tiles = expr::Int(vectors_per_task_);
  if (vector_tiles_ % vectors_per_task_ != 0)
    vector_tiles = expr::Min(
        vector_tiles, expr::Sub(expr::Int(vector_tiles_), expr::Mul(vector_block, expr::Int(vectors_per_task_))));
  const Expr row_tiles = expr::FloorDiv(expr::Add(count, expr::Int(s_.rows - 1)), s_.rows);
  StmtList body = Products(inputs, vector_tile, row_tiles);

  // Whole vectors of output channels, then the one that is partly there.
  const int64_t whole = OutputChannels() / s_.lanes, rest = OutputChannels() % s_.lanes;
  const Expr local = builder_.NewVariable("tile"), vector = builder_.NewVariable("vector");
  const Expr tile = expr::Add(first_tile, local);
  const Expr first_vector = expr::Mul(vector_tile, expr::Int(s_.vectors));
  StmtList outputs;
  if (whole > 0) {
    Expr vectors = expr::Int(s_.vectors);
    if (whole != vector_tiles_ * s_.vectors)
      vectors = expr::Max(expr::Int(0), expr::Min(vectors, expr::Sub(expr::Int(whole), first_vector)));
    outputs.push_back(Serial(vector, vectors, StoreTile(tile, local, vector_tile, vector, s_.lanes)));
  }
  if (rest != 0) {
    StmtList partial = StoreTile(tile, local, vector_tile, expr::Int(whole % s_.vectors), rest);
    outputs.push_back(If(expr::LessEqual(expr::Int(whole / s_.vectors), vector_tile), std::move(partial)));
  }
  body.push_back(Serial(local, count, std::move(outputs)));
  phase.body.push_back(Serial(in_block, vector_tiles, std::move(body)));
  builder_.program().phases.push_back(std::move(phase));
}

// products = inputs * weights for every position of the block's tiles, one vector tile wide.
StmtList WinogradLowering::Products(const Expr& inputs, const Expr& vector_tile, const Expr& row_tiles) {
  const int accumulators = builder_.NewBuffer("acc", BufferScope::kRegister, s_.rows * vector_step_, s_.lanes);
  const int right = builder_.NewBuffer("right", BufferScope::kRegister, vector_step_, s_.lanes);
  const int left = builder_.NewBuffer("left", BufferScope::kRegister, 1);
  const Expr position = builder_.NewVariable("position"), row_tile = builder_.NewVariable("row_tile");
  const Expr row = builder_.NewVariable("row"), vector = builder_.NewVariable("v");
  auto accumulator = [&](const Expr& lane) {
    const Expr index = expr::Add(expr::Mul(row, expr::Int(vector_step_)), expr::Mul(vector, expr::Int(s_.lanes)));
    return expr::Add(index, lane);
  };
  auto unrolled = [](const Expr& variable, int64_t extent, StmtList body) {
    StmtList loop;
    loop.push_back(For(variable->id, LoopKind::kUnrolled, expr::Int(extent), std::move(body)));
    return loop;
  };
  auto over_points = [&](const std::function<Stmt(const Expr& lane)>& body, StmtList before = {}) {
    StmtList vectors;
    vectors.push_back(VectorLoop(s_.lanes, [&](const Expr& lane) {
      StmtList list;
      list.push_back(body(lane));
      return list;
    }));
    StmtList rows = std::move(before);
    for (Stmt& stmt : unrolled(vector, s_.vectors, std::move(vectors))) rows.push_back(std::move(stmt));
    return unrolled(row, s_.rows, std::move(rows));
  };
  const Expr local = expr::Add(expr::Mul(row_tile, expr::Int(s_.rows)), row);  // tile within the block
  const Expr panel = expr::Mul(expr::Add(expr::Mul(vector_tile, expr::Int(positions_)), position),
                               expr::Int(Channels() * vector_step_));
  auto step = [&](const Expr& channel) {
    StmtList result = [&] {
      StmtList vectors;
      vectors.push_back(VectorLoop(s_.lanes, [&](const Expr& lane) {
        const Expr in_vector = expr::Add(expr::Mul(vector, expr::Int(s_.lanes)), lane);
        StmtList load;
        load.push_back(
            Store(right, in_vector,
                  expr::Load(weights_, DType::kF32,
                             {expr::Add(panel, expr::Add(expr::Mul(channel, expr::Int(vector_step_)), in_vector))})));
        return load;
      }));
      return unrolled(vector, s_.vectors, std::move(vectors));
    }();
    const Expr from =
        expr::Mul(expr::Add(expr::Mul(position, expr::Int(block_tiles_)), local), expr::Int(channel_stride_));
    StmtList broadcast;
    broadcast.push_back(
        Store(left, expr::Int(0), expr::Load(inputs_, DType::kF32, {expr::Add(inputs, expr::Add(from, channel))})));
    StmtList multiply = over_points(
        [&](const Expr& lane) {
          const Expr product =
              expr::Mul(expr::Load(left, DType::kF32, {expr::Int(0)}),
                        expr::Load(right, DType::kF32, {expr::Add(expr::Mul(vector, expr::Int(s_.lanes)), lane)}));
          return Store(accumulators, accumulator(lane),
                       expr::Add(expr::Load(accumulators, DType::kF32, {accumulator(lane)}), product));
        },
        std::move(broadcast));
    for (Stmt& stmt : multiply) result.push_back(std::move(stmt));
    return result;
  };

  // The channels are summed in two parts that are added at the end, which keeps the error of F(4, 3) well within the
  // tolerance of a verification (docs/decisions/0006-winograd.md).
  const int64_t unroll = std::min(s_.k_unroll, Channels()), steps = Channels() / unroll;
  const int64_t parts = steps >= 4 ? 2 : 1, part_steps = CeilDiv(steps, parts);
  const Expr part = builder_.NewVariable("part"), k = builder_.NewVariable("k"), u = builder_.NewVariable("u");
  const Expr rest = builder_.NewVariable("rest");
  const Expr first_step = expr::Mul(part, expr::Int(part_steps));
  StmtList body = over_points([&](const Expr& lane) { return Store(accumulators, accumulator(lane), expr::Float(0)); });
  const Expr channel = expr::Add(expr::Mul(expr::Add(first_step, k), expr::Int(unroll)), u);
  body.push_back(Serial(k, expr::Min(expr::Int(part_steps), expr::Sub(expr::Int(steps), first_step)),
                        unrolled(u, unroll, step(channel))));
  if (Channels() % unroll != 0) {
    StmtList remaining;
    remaining.push_back(Serial(rest, expr::Int(Channels() % unroll), step(expr::Add(expr::Int(steps * unroll), rest))));
    body.push_back(If(expr::LessEqual(expr::Int(parts - 1), part), std::move(remaining)));
  }
  auto store = [&](bool add) {
    return over_points([&](const Expr& lane) {
      const Expr to = expr::Mul(expr::Add(expr::Mul(local, expr::Int(positions_)), position), expr::Int(vector_step_));
      const Expr at = expr::Add(to, expr::Add(expr::Mul(vector, expr::Int(s_.lanes)), lane));
      const Expr sum = expr::Load(accumulators, DType::kF32, {accumulator(lane)});
      return Store(products_, at, add ? expr::Add(sum, expr::Load(products_, DType::kF32, {at})) : sum);
    });
  };
  StmtList first = store(false);
  if (parts == 1) {
    for (Stmt& stmt : first) body.push_back(std::move(stmt));
  } else {
    body.push_back(If(expr::LessThan(part, expr::Int(1)), std::move(first), store(true)));
  }
  StmtList tile;
  tile.push_back(Serial(part, expr::Int(parts), std::move(body)));
  StmtList positions, result;
  positions.push_back(Serial(row_tile, row_tiles, std::move(tile)));
  result.push_back(Serial(position, expr::Int(positions_), std::move(positions)));
  return result;
}

// The outputs of one tile and one vector of output channels, `active` lanes of it, through scratch: the tiles at the
// end of the output are cut.
StmtList WinogradLowering::StoreTile(const Expr& tile, const Expr& local, const Expr& vector_tile, const Expr& vector,
                                     int64_t active) {
  const TiledForm& tiled = form_.tiled;
  const std::vector<int64_t> extents(form_.windows.size(), s_.tile_inputs);
  StmtList result = Transform(
      &WinogradTransform::Outputs, extents,
      [&](const Position& at, const Expr& lane) {
        const Expr from =
            expr::Mul(expr::Add(expr::Mul(local, expr::Int(positions_)), InTile(at)), expr::Int(vector_step_));
        return expr::Load(products_, DType::kF32,
                          {expr::Add(from, expr::Add(expr::Mul(vector, expr::Int(s_.lanes)), lane))});
      },
      [&](const Position& at, const Expr& lane, const Expr& value) {
        return Store(outputs_, PatchIndex(at, lane), value);
      });
  std::vector<Expr> origin, count;
  std::vector<Expr> axes = OuterAxes(tile, &origin);
  for (size_t w = 0; w < origin.size(); ++w) {
    const int64_t extent = tiled.Extent(form_.windows[w].spatial_axis), outputs = transforms_[w].outputs();
    count.push_back(extent % outputs == 0 ? expr::Int(outputs)
                                          : expr::Min(expr::Int(outputs), expr::Sub(expr::Int(extent), origin[w])));
  }
  StmtList stores = OverTile(count, [&](const std::vector<Expr>& at) {
    for (size_t w = 0; w < at.size(); ++w) axes[form_.windows[w].spatial_axis] = expr::Add(origin[w], at[w]);
    StmtList body;
    body.push_back(VectorLoop(active, [&](const Expr& lane) {
      const Expr in_tile = expr::Add(expr::Mul(vector, expr::Int(s_.lanes)), lane);
      axes[tiled.vector_axis] = expr::Add(expr::Mul(vector_tile, expr::Int(vector_step_)), in_tile);
      Expr value = expr::Load(outputs_, DType::kF32, {PatchIndex(at, lane)});
      if (tiled.epilogue) {
        const Expr sum = value;
        value = expr::Rewrite(tiled.epilogue->value, [&](const Expr& e) -> Expr {
          if (e->op == ExprOp::kIndex) return axes[e->id];
          if (e->op != ExprOp::kLoad) return nullptr;
          return e->id == tiled.reduce.output ? sum : expr::Load(builder_.buffer_of(e->id), e->dtype, e->args);
        });
      }
      StmtList store;
      store.push_back(Store(builder_.buffer_of(tiled.result), builder_.Bind(tiled.result_index, axes), value));
      return store;
    }));
    return body;
  });
  for (Stmt& stmt : stores) result.push_back(std::move(stmt));
  return result;
}

}  // namespace

StatusOr<LoopProgram> LowerWinograd(const Workload& workload, const WinogradSchedule& schedule) {
  std::optional<WinogradForm> form = AnalyseWinograd(workload);
  if (!form) return absl::InvalidArgumentError("a Winograd schedule for a workload of another form");
  for (const WinogradWindow& window : form->windows)
    if (window.taps >= schedule.tile_inputs)
      return absl::InvalidArgumentError(
          StrCat("a window of ", window.taps, " taps in tiles of ", schedule.tile_inputs));
  return WinogradLowering(std::move(*form), schedule, workload.name).Run();
}

}  // namespace tilth
