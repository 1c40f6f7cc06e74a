// The lowering of one tiled reduction, as a class whose methods are in tiled.cc (tasks, tiles, the reduction) and
// tiled_copies.cc (padding and packing of operands). Private to compiler/lower.
#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "base/math.h"
#include "compiler/lower/program_builder.h"
#include "search_space/loop_nest.h"
#include "search_space/tiled_form.h"

namespace tilth {

// One axis cut into tiles, and tiles into blocks of a task.
struct Tiling {
  Tiling(int64_t axis_extent, int64_t tile_size, int64_t tiles_per_block)
      : extent(axis_extent),
        tile(std::min(tile_size, axis_extent)),
        tiles(CeilDiv(axis_extent, tile)),
        per_block(std::min(tiles_per_block, tiles)),
        blocks(CeilDiv(tiles, per_block)),
        tail(axis_extent % tile) {}

  // The number of tiles in block `block`.
  Expr TilesIn(const Expr& block) const {
    if (tiles % per_block == 0) return expr::Int(per_block);
    return expr::Min(expr::Int(per_block), expr::Sub(expr::Int(tiles), expr::Mul(block, expr::Int(per_block))));
  }

  int64_t extent, tile, tiles, per_block, blocks;
  int64_t tail;  // size of a smaller last tile; 0: none
};

// The extents of one copy of the register tile's body.
struct TileShape {
  int64_t rows, columns;
  int64_t vectors;      // registers along the vector axis
  int64_t last_active;  // active lanes of the last of them
};

class TiledLowering {
 public:
  TiledLowering(TiledForm form, const TiledSchedule& schedule, const std::string& name)
      : form_(std::move(form)),
        s_(schedule),
        builder_(name, form_.tensors),
        rows_(form_.Extent(form_.row_axis), s_.rows, s_.row_tiles),
        columns_(form_.Extent(form_.column_axis), s_.columns, s_.column_tiles),
        vectors_(form_.Extent(form_.vector_axis), static_cast<int64_t>(s_.lanes) * s_.vectors, s_.vector_tiles) {
    for (int axis : form_.reduce_axes)
      if (axis != form_.split_axis) k_order_.push_back(axis);
    k_order_.push_back(form_.split_axis);
    const int64_t split = form_.Extent(form_.split_axis);
    k_block_ = std::min(s_.k_block, split);
    k_blocks_ = CeilDiv(split, k_block_);
    // The vector tiling counts whole registers even when the axis is shorter.
    vector_step_ = static_cast<int64_t>(s_.lanes) * s_.vectors;
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
  StmtList PackVectors(const std::vector<Expr>& axes, const Expr& tile_index, const Expr& to, int64_t active);
  StmtList TaskBody();
  StmtList OverTiles(bool with_vectors, const std::function<StmtList(const TileShape&)>& body);
  StmtList ByTail(const Tiling& tiling, const Expr& tile, const std::function<StmtList(int64_t)>& body);
  StmtList PackPanel(const TileShape& shape);
  StmtList GuardedTile(const TileShape& shape);
  StmtList KLoops(const TileShape& shape, bool guarded);
  StmtList KStep(const TileShape& shape, bool guarded);
  StmtList Initialise(const TileShape& shape);
  StmtList Finish(const TileShape& shape);

  StmtList OverPoints(const TileShape& shape, const std::function<StmtList()>& body);
  std::vector<Expr> Point(const Expr& vector_element) const;
  Expr LeftValue(const std::vector<Expr>& axes, bool guarded) const;
  Expr RightValue(const std::vector<Expr>& axes, int64_t vector, const Expr& lane) const;
  Expr Interior(const TileShape& shape) const;
  Expr Linear(const std::vector<int>& axes, const std::vector<Expr>& at) const;
  Expr AccumulatorIndex(const TileShape& shape, int64_t vector, const Expr& lane) const;
  Expr Accumulator(const TileShape& shape, int64_t vector, const Expr& lane) const {
    return expr::Load(accumulators_, DType::kF32, {AccumulatorIndex(shape, vector, lane)});
  }
  Expr VectorElement(int64_t vector, const Expr& lane) const {
    return expr::Add(expr::Mul(vector_tile_, expr::Int(vector_step_)), expr::Add(expr::Int(vector * s_.lanes), lane));
  }
  int64_t Active(const TileShape& shape, int64_t vector) const {
    return vector + 1 == shape.vectors ? shape.last_active : s_.lanes;
  }
  // A vector loop over the active lanes of register `vector`; `whole`: over all of them.
  Stmt VectorLoop(const TileShape& shape, int64_t vector, bool whole,
                  const std::function<StmtList(const Expr&)>& body) {
    const Expr lane = builder_.NewVariable("lane");
    return For(lane->id, LoopKind::kVector, expr::Int(whole ? s_.lanes : Active(shape, vector)), body(lane), s_.lanes);
  }

  TiledForm form_;
  TiledSchedule s_;
  ProgramBuilder builder_;
  Tiling rows_, columns_, vectors_;
  std::vector<int> k_order_;  // reduced axes, the split one innermost
  int64_t k_block_ = 1, k_blocks_ = 1, vector_step_ = 1;
  bool packed_right_ = false;
  int packed_ = -1, panel_ = -1, accumulators_ = -1, right_registers_ = -1, left_register_ = -1;
  std::vector<Expr> axes_;  // the current value of every axis but rows, columns and vectors
  Expr row_block_, column_block_, vector_block_;
  Expr row_tile_, column_tile_, vector_tile_;  // absolute tile numbers
  Expr local_row_tile_, local_column_tile_;    // within the task's block
  Expr row_, column_;                          // within the register tile
  Expr k_block_index_, k_local_;               // block number, position of the split axis within it
};

}  // namespace tilth
