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

#include "compiler/lower/winograd_lowering.h"

namespace tilth {
namespace {

// Tiles that a task of the separate transform phase takes: enough to hide the cost of a task.
constexpr int64_t kTilesPerTransformTask = 4;

}  // namespace

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
