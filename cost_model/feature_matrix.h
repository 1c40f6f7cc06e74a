// Rows of features, and the interface's common currency between extraction and models.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace tilth {

// Row-major: `values.size() == rows * columns`. A plain value.
struct FeatureMatrix {
  int columns = 0;
  std::vector<float> values;

  int rows() const { return columns == 0 ? 0 : static_cast<int>(values.size() / static_cast<size_t>(columns)); }
  std::span<const float> row(int index) const {
    return std::span<const float>(values).subspan(static_cast<size_t>(index) * static_cast<size_t>(columns),
                                                  static_cast<size_t>(columns));
  }
  void Append(std::span<const float> features) {
    columns = static_cast<int>(features.size());
    values.insert(values.end(), features.begin(), features.end());
  }
};

}  // namespace tilth
