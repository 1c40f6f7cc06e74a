// The lowering of a Winograd convolution, as a class whose methods are in winograd.cc (phases), winograd_tiles.cc
// (transforms of the tiles) and winograd_products.cc (the matrix products between them). Private to compiler/lower.
#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/math.h"
#include "compiler/lower/program_builder.h"
#include "compiler/lower/winograd_transform.h"
#include "search_space/loop_nest.h"
#include "search_space/winograd_form.h"

namespace tilth {

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
  StmtList ProductTile();
  StmtList ProductStep(const Expr& channel);
  StmtList StoreProducts(bool add);
  StmtList OverVectors(const std::function<Stmt(const Expr& at)>& body);
  StmtList OverRows(StmtList body) const;
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
  // Of the matrix products: registers, where the transformed input and the weights begin, and the position, the
  // register tile and the row and vector within it.
  int accumulators_ = -1, right_ = -1, left_ = -1;
  Expr first_input_, panel_, position_, row_tile_, row_, vector_;
  int weights_ = -1, inputs_ = -1, patch_ = -1, between_ = -1, products_ = -1, outputs_ = -1;
};

}  // namespace tilth
