#include "search_space/winograd_form.h"

#include <algorithm>
#include <cstdlib>

#include "base/math.h"

namespace tilth {
namespace {

// The window that reduced axis `axis` is the taps of, if the input is read at "spatial axis + tap".
std::optional<WinogradWindow> WindowOf(const TiledForm& form, const Affine& left, int axis) {
  for (int a = 0; a < form.reduce.num_spatial; ++a) {
    if (a == form.vector_axis || left.coefficients[a] == 0 || left.coefficients[a] != left.coefficients[axis]) continue;
    const bool guarded_alike = std::all_of(form.guards.begin(), form.guards.end(), [&](const Guard& guard) {
      return guard.form.coefficients[a] == guard.form.coefficients[axis];
    });
    if (!guarded_alike) continue;
    WinogradWindow window{.spatial_axis = a, .reduce_axis = axis, .taps = form.Extent(axis)};
    window.last = form.Extent(a) + window.taps - 2;
    return window;
  }
  return std::nullopt;
}

// Narrows the windows' bounds by a guard, which must be a bound on one of them alone.
bool Narrow(const Guard& guard, std::vector<WinogradWindow>* windows) {
  WinogradWindow* bounded = nullptr;
  int64_t uses = 0;
  for (WinogradWindow& window : *windows) {
    if (guard.form.coefficients[window.spatial_axis] == 0) continue;
    bounded = &window;
    uses += 2;  // the spatial axis and the taps
  }
  const auto zeros = std::count(guard.form.coefficients.begin(), guard.form.coefficients.end(), 0);
  if (!bounded || uses != 2 || static_cast<int64_t>(guard.form.coefficients.size()) - zeros != uses) return false;
  const int64_t sign = guard.form.coefficients[bounded->spatial_axis];
  if (std::abs(sign) != 1) return false;
  if (sign > 0)
    bounded->first = std::max(bounded->first, -guard.form.constant);
  else
    bounded->last = std::min(bounded->last, guard.form.constant);
  return true;
}

}  // namespace

int64_t WinogradForm::Positions(int64_t tile_inputs) const {
  return windows.size() == 2 ? tile_inputs * tile_inputs : tile_inputs;
}

int64_t WinogradForm::TilesAlong(size_t window, int64_t tile_inputs) const {
  return CeilDiv(tiled.Extent(windows[window].spatial_axis), TileOutputs(window, tile_inputs));
}

int64_t WinogradForm::Tiles(int64_t tile_inputs) const {
  int64_t tiles = 1;
  for (int axis : outer_axes) tiles *= tiled.Extent(axis);
  for (size_t w = 0; w < windows.size(); ++w) tiles *= TilesAlong(w, tile_inputs);
  return tiles;
}

std::optional<WinogradForm> AnalyseWinograd(const Workload& workload) {
  std::optional<TiledForm> tiled = AnalyseTiled(workload, /*pad=*/false);
  if (!tiled || !tiled->IsConstantRight() || !tiled->right_outer_axes.empty() || tiled->left_along_vector ||
      tiled->left->op != ExprOp::kLoad || tiled->guard_value != 0 || tiled->reduce.reduction != Reduction::kSum)
    return std::nullopt;
  if (tiled->tensors[tiled->left->id].dtype != DType::kF32) return std::nullopt;
  const std::optional<Affine> left = AsAffine(tiled->left->args[0], tiled->reduce.num_axes());
  if (!left) return std::nullopt;
  WinogradForm form;
  for (int axis : tiled->reduce_axes) {
    if (std::optional<WinogradWindow> window = WindowOf(*tiled, *left, axis)) {
      form.windows.push_back(*window);
    } else if (form.channel_axis >= 0 || left->coefficients[axis] != 1) {
      return std::nullopt;
    } else {
      form.channel_axis = axis;
    }
  }
  if (form.channel_axis < 0 || form.windows.empty() || form.windows.size() > 2) return std::nullopt;
  if (form.windows.size() == 2 && form.windows[0].spatial_axis == form.windows[1].spatial_axis) return std::nullopt;
  for (const Guard& guard : tiled->guards)
    if (!Narrow(guard, &form.windows)) return std::nullopt;
  for (int a = 0; a < tiled->reduce.num_spatial; ++a) {
    const bool windowed = std::any_of(form.windows.begin(), form.windows.end(),
                                      [&](const WinogradWindow& window) { return window.spatial_axis == a; });
    if (a != tiled->vector_axis && !windowed) form.outer_axes.push_back(a);
  }
  form.tiled = std::move(*tiled);
  return form;
}

}  // namespace tilth
