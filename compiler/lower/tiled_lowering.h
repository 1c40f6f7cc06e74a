// The lowering of one tiled reduction, as a class whose methods are in tiled.cc (tasks, tiles, the reduction) and
// tiled_copies.cc (padding and packing of operands) and tiled_clip.cc (windows without their taps outside). Private to
// compiler/lower.
#pragma once

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/math.h"
#include "compiler/lower/program_builder.h"
#include "search_space/loop_nest.h"
#include "search_space/tiled_form.h"

namespace tilth {

// One axis cut into tiles of one size, and tiles into blocks of a task. Where the axis is no multiple of the tile, the
// last tile ends where the axis does and computes again what the one before it has computed: there is one copy of the
// code, and every tile is whole.
struct Tiling {
  Tiling(int64_t axis_extent, int64_t tile_size, int64_t tiles_per_block)
      : extent(axis_extent),
        tile(std::min(tile_size, axis_extent)),
        tiles(CeilDiv(axis_extent, tile)),
        per_block(std::min(tiles_per_block, tiles)),
        blocks(CeilDiv(tiles, per_block)) {}

  // The first element of tile `index`.
  Expr Start(const Expr& index) const {
    const Expr regular = expr::Mul(index, expr::Int(tile));
    if (tiles == 1) return expr::Int(0);
    return extent % tile == 0 ? regular : expr::Min(regular, expr::Int(extent - tile));
  }

  // The number of tiles in block `block`.
  Expr TilesIn(const Expr& block) const {
    if (tiles % per_block == 0) return expr::Int(per_block);
    return expr::Min(expr::Int(per_block), expr::Sub(expr::Int(tiles), expr::Mul(block, expr::Int(per_block))));
  }

  int64_t extent, tile, tiles, per_block, blocks;
};

// Columns [first, last) of the register tile.
struct ColumnRange {
  int64_t first, last;
};

class TiledLowering {
 public:
  TiledLowering(TiledForm form, const TiledSchedule& schedule, const std::string& name)
      : form_(std::move(form)),
        s_(schedule),
        builder_(name, form_.tensors),
        rows_(form_.Extent(form_.row_axis), s_.rows, s_.row_tiles),
        columns_(form_.Extent(form_.column_axis), s_.columns, s_.column_tiles),
        registers_(std::min(s_.vectors, CeilDiv(form_.Extent(form_.vector_axis), s_.lanes))),
        vector_step_(registers_ * s_.lanes),
        vectors_(form_.Extent(form_.vector_axis), vector_step_, s_.vector_tiles) {
    for (int axis : form_.reduce_axes)
      if (axis != form_.split_axis) k_order_.push_back(axis);
    k_order_.push_back(form_.split_axis);
    const int64_t split = form_.Extent(form_.split_axis);
    k_block_ = std::min(s_.k_block, split);
    k_blocks_ = CeilDiv(split, k_block_);
  }

  StatusOr<LoopProgram> Run() {
    if (form_.pad_copy) AddPadPhase();
    packed_right_ = form_.right && s_.pack_right;
    if (packed_right_) AddPackPhase();
    AddMainPhase();
    return std::move(builder_.program());
  }

 private:
  void AddPadPhase();
  void AddPackPhase();
  void AddMainPhase();
  StmtList PackVectors(const std::vector<Expr>& axes, const Expr& tile, const Expr& to);
  StmtList TaskBody();
  StmtList OverTiles(bool with_vectors, StmtList (TiledLowering::*body)());
  StmtList PackPanel();
  StmtList Tile();
  StmtList OverColumnTiles(StmtList (TiledLowering::*body)());
  StmtList KLoops(bool guarded) { return KLoop(guarded, /*level=*/0, {0, columns_.tile}); }
  StmtList KLoop(bool guarded, size_t level, ColumnRange range);
  StmtList SplitLoop(bool guarded, ColumnRange range);
  StmtList BorderTaps(size_t level, ColumnRange range);
  StmtList KStep(bool guarded, ColumnRange range);
  std::pair<Expr, Expr> TapsInside(int axis) const;
  StmtList Initialise();
  StmtList Finish();

  StmtList OverPoints(ColumnRange range, const std::function<StmtList()>& body);
  StmtList OverPoints(const std::function<StmtList()>& body) { return OverPoints({0, columns_.tile}, body); }
  StmtList OverVectors(bool whole, const std::function<Stmt(int64_t, const Expr&)>& body);
  std::vector<Expr> Point(const Expr& vector_element) const;
  Expr LeftValue(const std::vector<Expr>& axes, bool guarded) const;
  Expr PanelValue() const;
  Expr RightValue(const std::vector<Expr>& axes, int64_t vector, const Expr& lane) const;
  Expr Interior() const;
  Expr Linear(const std::vector<int>& axes, const std::vector<Expr>& at) const;
  Expr AccumulatorIndex(int64_t vector, const Expr& lane) const;
  Expr Accumulator(int64_t vector, const Expr& lane) const {
    return expr::Load(accumulators_, DType::kF32, {AccumulatorIndex(vector, lane)});
  }
  Expr PartialSumIndex(int64_t vector, const Expr& lane) const;
  Expr VectorElement(int64_t vector, const Expr& lane) const {
    return expr::Add(vectors_.Start(vector_tile_), expr::Add(expr::Int(VectorOffset(vector)), lane));
  }
  // Where register `vector` begins in its tile. Registers overlap, too, where the axis is shorter than they are.
  int64_t VectorOffset(int64_t vector) const {
    return std::min(vector * s_.lanes, std::max<int64_t>(0, vectors_.tile - s_.lanes));
  }
  int64_t Points() const { return rows_.tile * columns_.tile; }

  TiledForm form_;
  TiledSchedule s_;
  ProgramBuilder builder_;
  Tiling rows_, columns_;
  int64_t registers_;    // of a register tile along the vector axis
  int64_t vector_step_;  // all their lanes, which are more than the axis has if that is short
  Tiling vectors_;
  std::vector<int> k_order_;  // reduced axes, the split one innermost
  int64_t k_block_ = 1, k_blocks_ = 1;
  bool packed_right_ = false;
  int packed_ = -1, panel_ = -1, partial_sums_ = -1;
  int accumulators_ = -1, right_registers_ = -1, left_register_ = -1;
  std::vector<Expr> axes_;  // the current value of every axis but rows, columns and vectors
  Expr row_block_, column_block_, vector_block_;
  Expr row_tile_, column_tile_, vector_tile_;  // absolute tile numbers
  // … and within the task's block.
  Expr local_row_tile_, local_column_tile_, local_vector_tile_;
  Expr row_, column_;                    // within the register tile
  std::optional<int64_t> border_start_;  // the first column, in code for a tile in which the window is clipped
  Expr k_block_index_, k_local_;         // block number, position of the split axis within it
};

}  // namespace tilth
