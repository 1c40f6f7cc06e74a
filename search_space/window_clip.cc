// Windows over images with borders: which taps are outside, by rows at run time and by columns beforehand.
#include <algorithm>

#include "search_space/tiled_form.h"

namespace tilth {
namespace {

bool HasAxis(const std::vector<TapGuard>& guards, int axis) {
  return std::any_of(guards.begin(), guards.end(), [&](const TapGuard& guard) { return guard.tap_axis == axis; });
}

// The guard as one on a tap; nothing unless it depends on exactly one reduced axis.
std::optional<TapGuard> AsTapGuard(const TiledForm& form, const Guard& guard) {
  std::optional<TapGuard> tap;
  for (int axis = form.reduce.num_spatial; axis < form.reduce.num_axes(); ++axis) {
    if (guard.form.coefficients[axis] == 0) continue;
    if (tap) return std::nullopt;
    tap = TapGuard{axis, guard.form};
  }
  return tap;
}

std::optional<WindowClip> ClipOf(const TiledForm& form) {
  WindowClip clip;
  for (const Guard& guard : form.guards) {
    const std::optional<TapGuard> tap = AsTapGuard(form, guard);
    if (!tap) return std::nullopt;
    bool on_column = false, on_other = false;
    for (int axis = 0; axis < form.reduce.num_spatial; ++axis) {
      if (guard.form.coefficients[axis] == 0) continue;
      if (axis == form.vector_axis) return std::nullopt;
      (axis == form.column_axis ? on_column : on_other) = true;
    }
    if (on_column && on_other) return std::nullopt;
    (on_column ? clip.columns : clip.rows).push_back(*tap);
  }
  // An axis is clipped one way only: rows shorten a loop, columns pick points of the register tile.
  for (const TapGuard& guard : clip.rows)
    if (clip.ClipsColumns(guard.tap_axis)) return std::nullopt;
  return clip;
}

}  // namespace

bool WindowClip::ClipsRows(int axis) const { return HasAxis(rows, axis); }
bool WindowClip::ClipsColumns(int axis) const { return HasAxis(columns, axis); }

std::pair<int64_t, int64_t> WindowClip::ColumnsInside(int column_axis, int64_t start, int64_t count, int axis,
                                                      int64_t tap) const {
  auto inside = [&](int64_t column) {
    return std::all_of(columns.begin(), columns.end(), [&](const TapGuard& guard) {
      const Affine& f = guard.form;
      return guard.tap_axis != axis ||
             f.constant + f.coefficients[column_axis] * (start + column) + f.coefficients[axis] * tap >= 0;
    });
  };
  int64_t first = 0, last = count;
  while (first < last && !inside(first)) ++first;
  while (last > first && !inside(last - 1)) --last;
  return {first, last};
}

bool WindowClip::IsInterior(const TiledForm& form, int64_t start, int64_t count) const {
  return std::all_of(columns.begin(), columns.end(), [&](const TapGuard& guard) {
    const std::pair<int64_t, int64_t> whole = {0, count};
    return ColumnsInside(form.column_axis, start, count, guard.tap_axis, 0) == whole &&
           ColumnsInside(form.column_axis, start, count, guard.tap_axis, form.Extent(guard.tap_axis) - 1) == whole;
  });
}

// Guards of one tap axis are counted together with the spatial axes that they depend on; other tap axes move along
// other spatial axes.
double WindowClip::InsideShare(const TiledForm& form) const {
  constexpr int64_t kMostPoints = 1 << 16;
  double share = 1;
  for (int tap_axis : form.reduce_axes) {
    std::vector<const Affine*> guards;
    for (const std::vector<TapGuard>* list : {&rows, &columns})
      for (const TapGuard& guard : *list)
        if (guard.tap_axis == tap_axis) guards.push_back(&guard.form);
    std::vector<int> axes;
    int64_t points = 1;
    for (int axis = 0; axis < form.reduce.num_axes(); ++axis) {
      const bool used = std::any_of(guards.begin(), guards.end(),
                                    [&](const Affine* guard) { return guard->coefficients[axis] != 0; });
      if (!used || points > kMostPoints) continue;
      axes.push_back(axis);
      points *= form.Extent(axis);
    }
    if (points > kMostPoints) continue;
    int64_t inside = 0;
    for (int64_t point = 0; point < points; ++point) {
      inside += std::all_of(guards.begin(), guards.end(), [&](const Affine* guard) {
        int64_t value = guard->constant, rest = point;
        for (int axis : axes) {
          value += guard->coefficients[axis] * (rest % form.Extent(axis));
          rest /= form.Extent(axis);
        }
        return value >= 0;
      });
    }
    share *= static_cast<double>(inside) / static_cast<double>(points);
  }
  return share;
}

std::optional<TiledForm> AnalyseClipped(const Workload& workload) {
  std::optional<TiledForm> form = AnalyseTiled(workload, /*pad=*/false);
  if (!form || form->guards.empty() || form->guard_value != ReductionIdentity(form->reduce.reduction))
    return std::nullopt;
  form->clip = ClipOf(*form);
  if (!form->clip) return std::nullopt;
  // A loop that is cut into steps needs an extent known beforehand; best is one that nothing clips.
  auto rank = [&](int axis) {
    return std::pair(form->clip->ClipsRows(axis) ? 0 : form->clip->ClipsColumns(axis) ? 1 : 2, form->Extent(axis));
  };
  for (int axis : form->reduce_axes)
    if (rank(axis) >= rank(form->split_axis)) form->split_axis = axis;
  if (form->clip->ClipsRows(form->split_axis)) return std::nullopt;
  return form;
}

}  // namespace tilth
