// The matrix products of a Winograd convolution: for every position of the transformed tiles, inputs (tiles × channels)
// times weights (channels × output channels).
#include "compiler/lower/winograd_lowering.h"

namespace tilth {
namespace {

StmtList Unrolled(const Expr& variable, int64_t extent, StmtList body) {
  StmtList loop;
  loop.push_back(For(variable->id, LoopKind::kUnrolled, expr::Int(extent), std::move(body)));
  return loop;
}

}  // namespace

// `body` for each element of the register tile's row, a vector at a time; it gets the element's index in the row.
StmtList WinogradLowering::OverVectors(const std::function<Stmt(const Expr& at)>& body) {
  StmtList vectors;
  vectors.push_back(VectorLoop(s_.lanes, [&](const Expr& lane) {
    StmtList list;
    list.push_back(body(expr::Add(expr::Mul(vector_, expr::Int(s_.lanes)), lane)));
    return list;
  }));
  return Unrolled(vector_, s_.vectors, std::move(vectors));
}

StmtList WinogradLowering::OverRows(StmtList body) const { return Unrolled(row_, s_.rows, std::move(body)); }

// products = inputs * weights for every position of the block's tiles, one vector tile wide.
StmtList WinogradLowering::Products(const Expr& inputs, const Expr& vector_tile, const Expr& row_tiles) {
  accumulators_ = builder_.NewBuffer("acc", BufferScope::kRegister, s_.rows * vector_step_, s_.lanes);
  right_ = builder_.NewBuffer("right", BufferScope::kRegister, vector_step_, s_.lanes);
  left_ = builder_.NewBuffer("left", BufferScope::kRegister, 1);
  position_ = builder_.NewVariable("position");
  row_tile_ = builder_.NewVariable("row_tile");
  row_ = builder_.NewVariable("row");
  vector_ = builder_.NewVariable("v");
  first_input_ = inputs;
  panel_ = expr::Mul(expr::Add(expr::Mul(vector_tile, expr::Int(positions_)), position_),
                     expr::Int(Channels() * vector_step_));
  StmtList positions, result;
  positions.push_back(Serial(row_tile_, row_tiles, ProductTile()));
  result.push_back(Serial(position_, expr::Int(positions_), std::move(positions)));
  return result;
}

// One register tile. The channels are summed in two parts that are added at the end, which keeps the error of F(4, 3)
// well within the tolerance of a verification (docs/decisions/0006-winograd.md).
StmtList WinogradLowering::ProductTile() {
  const int64_t unroll = std::min(s_.k_unroll, Channels()), steps = Channels() / unroll;
  const int64_t parts = steps >= 4 ? 2 : 1, part_steps = CeilDiv(steps, parts);
  const Expr part = builder_.NewVariable("part"), k = builder_.NewVariable("k"), u = builder_.NewVariable("u");
  const Expr rest = builder_.NewVariable("rest");
  const Expr first_step = expr::Mul(part, expr::Int(part_steps));
  StmtList body = OverRows(OverVectors([&](const Expr& at) {
    return Store(accumulators_, expr::Add(expr::Mul(row_, expr::Int(vector_step_)), at), expr::Float(0));
  }));
  const Expr channel = expr::Add(expr::Mul(expr::Add(first_step, k), expr::Int(unroll)), u);
  body.push_back(Serial(k, expr::Min(expr::Int(part_steps), expr::Sub(expr::Int(steps), first_step)),
                        Unrolled(u, unroll, ProductStep(channel))));
  if (Channels() % unroll != 0) {
    StmtList remaining;
    remaining.push_back(
        Serial(rest, expr::Int(Channels() % unroll), ProductStep(expr::Add(expr::Int(steps * unroll), rest))));
    body.push_back(If(expr::LessEqual(expr::Int(parts - 1), part), std::move(remaining)));
  }
  StmtList first = StoreProducts(false);
  if (parts == 1) {
    for (Stmt& stmt : first) body.push_back(std::move(stmt));
  } else {
    body.push_back(If(expr::LessThan(part, expr::Int(1)), std::move(first), StoreProducts(true)));
  }
  StmtList tile;
  tile.push_back(Serial(part, expr::Int(parts), std::move(body)));
  return tile;
}

// accumulators += inputs of the tile's rows at `channel` * weights at `channel`.
StmtList WinogradLowering::ProductStep(const Expr& channel) {
  StmtList result = OverVectors([&](const Expr& at) {
    const Expr from = expr::Add(panel_, expr::Add(expr::Mul(channel, expr::Int(vector_step_)), at));
    return Store(right_, at, expr::Load(weights_, DType::kF32, {from}));
  });
  const Expr local = expr::Add(expr::Mul(row_tile_, expr::Int(s_.rows)), row_);  // tile within the block
  const Expr from =
      expr::Mul(expr::Add(expr::Mul(position_, expr::Int(block_tiles_)), local), expr::Int(channel_stride_));
  StmtList row;
  row.push_back(Store(left_, expr::Int(0),
                      expr::Load(inputs_, DType::kF32, {expr::Add(first_input_, expr::Add(from, channel))})));
  StmtList multiply = OverVectors([&](const Expr& at) {
    const Expr accumulator = expr::Add(expr::Mul(row_, expr::Int(vector_step_)), at);
    const Expr product =
        expr::Mul(expr::Load(left_, DType::kF32, {expr::Int(0)}), expr::Load(right_, DType::kF32, {at}));
    return Store(accumulators_, accumulator, expr::Add(expr::Load(accumulators_, DType::kF32, {accumulator}), product));
  });
  for (Stmt& stmt : multiply) row.push_back(std::move(stmt));
  for (Stmt& stmt : OverRows(std::move(row))) result.push_back(std::move(stmt));
  return result;
}

// products = accumulators, or += with `add`.
StmtList WinogradLowering::StoreProducts(bool add) {
  const Expr local = expr::Add(expr::Mul(row_tile_, expr::Int(s_.rows)), row_);
  return OverRows(OverVectors([&](const Expr& at) {
    const Expr to = expr::Mul(expr::Add(expr::Mul(local, expr::Int(positions_)), position_), expr::Int(vector_step_));
    const Expr index = expr::Add(to, at);
    const Expr sum = expr::Load(accumulators_, DType::kF32, {expr::Add(expr::Mul(row_, expr::Int(vector_step_)), at)});
    return Store(products_, index, add ? expr::Add(sum, expr::Load(products_, DType::kF32, {index})) : sum);
  }));
}

}  // namespace tilth
