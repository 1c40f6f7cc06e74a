// Windows that leave out their taps outside the image instead of multiplying zeros: a whole row of taps by shortening
// its loop, taps of a column by code of its own for each column tile at a border, in which every tap of a row is known
// and updates just the points for which it is inside.
#include "compiler/lower/tiled_lowering.h"

namespace tilth {

// `body` for the current column tile: where windows are clipped, a copy for each tile at a border and one for all
// others.
StmtList TiledLowering::OverColumnTiles(StmtList (TiledLowering::*body)()) {
  if (!form_.clip) return (this->*body)();
  const Expr tile = column_tile_;
  auto start_of = [&](int64_t t) { return std::min(t * columns_.tile, columns_.extent - columns_.tile); };
  std::vector<int64_t> border;
  for (int64_t t = 0; t < columns_.tiles; ++t)
    if (!form_.clip->IsInterior(form_, start_of(t), columns_.tile)) border.push_back(t);
  StmtList result;
  if (static_cast<int64_t>(border.size()) < columns_.tiles) result = (this->*body)();
  for (const int64_t t : border) {
    column_tile_ = expr::Int(t);
    border_start_ = start_of(t);
    StmtList own = (this->*body)(), choice;
    border_start_.reset();
    column_tile_ = tile;
    if (!result.empty()) {
      choice.push_back(If(expr::Binary(ExprOp::kEqual, tile, expr::Int(t)), std::move(own), std::move(result)));
      own = std::move(choice);
    }
    result = std::move(own);
  }
  return result;
}

// The taps of `axis` that are inside for the current rows, as the first and their number.
std::pair<Expr, Expr> TiledLowering::TapsInside(int axis) const {
  std::vector<Expr> at = axes_;
  if (form_.row_axis >= 0) at[form_.row_axis] = rows_.Start(row_tile_);  // such tiles have one row
  at[axis] = expr::Int(0);
  Expr first = expr::Int(0), last = expr::Int(form_.Extent(axis));
  for (const TapGuard& guard : form_.clip->rows) {
    if (guard.tap_axis != axis) continue;
    // form + c * tap >= 0
    const int64_t c = guard.form.coefficients[axis];
    const Expr form = builder_.Bind(FromAffine(guard.form), at);
    if (c > 0)
      first = expr::Max(first, expr::Sub(expr::Int(0), expr::FloorDiv(form, c)));
    else
      last = expr::Min(last, expr::Add(expr::FloorDiv(form, -c), expr::Int(1)));
  }
  return {first, expr::Sub(last, first)};
}

// A copy of the loops further in for each tap of this level's axis, on the columns where it is inside.
StmtList TiledLowering::BorderTaps(size_t level, ColumnRange range) {
  const int axis = k_order_[level];
  StmtList result;
  for (int64_t tap = 0; tap < form_.Extent(axis); ++tap) {
    const auto [first, last] = form_.clip->ColumnsInside(form_.column_axis, *border_start_, columns_.tile, axis, tap);
    const ColumnRange inside = {std::max(range.first, first), std::min(range.last, last)};
    if (inside.first >= inside.last) continue;
    axes_[axis] = expr::Int(tap);
    for (Stmt& stmt : KLoop(/*guarded=*/false, level + 1, inside)) result.push_back(std::move(stmt));
  }
  return result;
}

}  // namespace tilth
