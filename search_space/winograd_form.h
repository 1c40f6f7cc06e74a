// WinogradForm: a convolution of stride 1 with a small window, on which the minimal filtering algorithms of Winograd
// (A. Lavin, S. Gray, "Fast Algorithms for Convolutional Neural Networks", 2015) apply. F(m, r) makes m outputs of an
// r-tap window from m + r - 1 inputs with m + r - 1 products instead of m · r.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "search_space/tiled_form.h"

namespace tilth {

// One dimension of the window: output position h reads inputs h + r, r in [0, taps).
struct WinogradWindow {
  int spatial_axis = -1;
  int reduce_axis = -1;
  int64_t taps = 0;
  // h + r outside [first, last] is padding, which is zero, or is not there at all.
  int64_t first = 0, last = 0;
};

struct WinogradForm {
  TiledForm tiled;
  std::vector<WinogradWindow> windows;  // one or two
  std::vector<int> outer_axes;          // spatial axes but the vector axis and those of the windows
  int channel_axis = -1;                // the reduced axis that is in no window; contiguous in the input

  // Inputs along each window that one tile transforms, all windows together: the number of matrix products.
  int64_t Positions(int64_t tile_inputs) const;
  // Outputs of one tile along window `window`.
  int64_t TileOutputs(size_t window, int64_t tile_inputs) const { return tile_inputs - windows[window].taps + 1; }
  // Tiles along window `window`, and all tiles of the output (outer axes included).
  int64_t TilesAlong(size_t window, int64_t tile_inputs) const;
  int64_t Tiles(int64_t tile_inputs) const;
};

// Nothing if the workload is not such a convolution, or its weights are not constant.
std::optional<WinogradForm> AnalyseWinograd(const Workload& workload);

}  // namespace tilth
