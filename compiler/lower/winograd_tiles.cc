// Tiles of a Winograd convolution on their way in and out: the transforms of weights, inputs and products, the padding
// around the input, the end of the output.
#include "compiler/lower/winograd_lowering.h"

namespace tilth {

// Applies `map` along every dimension of a tile of `extents` elements, one loop a dimension, through scratch between
// them. Loops, not one straight line: a tile does not fit in the registers anyway, and the code is compiled per trial.
StmtList WinogradLowering::Transform(OneDimension map, const std::vector<int64_t>& extents, const Place& read,
                                     const Assign& write) {
  const bool flat = extents.size() == 1;
  const Expr column = builder_.NewVariable("column"), row = builder_.NewVariable("row");
  int64_t rows = 0;
  StmtList first = {Line(
      map, 0, extents[0],
      [&](const Expr& i, const Expr& lane) { return read(flat ? Position{i} : Position{i, column}, lane); },
      [&](const Expr& i, const Expr& lane, const Expr& value) {
        ++rows;
        if (flat) return write({i}, lane, value);
        return Store(between_, PatchIndex({i, column}, lane), value);
      })};
  if (flat) return first;
  StmtList second = {Line(
      map, 1, extents[1],
      [&](const Expr& j, const Expr& lane) { return expr::Load(between_, DType::kF32, {PatchIndex({row, j}, lane)}); },
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
      if (tiled.epilogue) value = builder_.BindWith(tiled.epilogue->value, axes, tiled.reduce.output, value);
      StmtList store;
      store.push_back(Store(builder_.buffer_of(tiled.result), builder_.Bind(tiled.result_index, axes), value));
      return store;
    }));
    return body;
  });
  for (Stmt& stmt : stores) result.push_back(std::move(stmt));
  return result;
}

}  // namespace tilth
