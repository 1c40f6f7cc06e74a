// Rows of features, and the interface's common currency between extraction and models.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace tilth {

// Rows in blocks of 16, feature by feature within a block: what vectorised extraction writes and vectorised models
// read. A plain value.
class FeatureMatrix {
 public:
  static constexpr int kBlockRows = 16;

  // The first row appended says the number of columns.
  FeatureMatrix() = default;
  explicit FeatureMatrix(int columns) : columns_(columns) {}

  int rows() const { return rows_; }
  int columns() const { return columns_; }
  int num_blocks() const { return (rows_ + kBlockRows - 1) / kBlockRows; }

  float at(int row, int column) const { return block(row / kBlockRows)[column * kBlockRows + row % kBlockRows]; }
  // A copy of one row.
  std::vector<float> row(int index) const;
  // All rows one after the other, for interfaces that want them so.
  std::vector<float> RowMajor() const;

  // `features` has as many numbers as there are columns.
  void Append(std::span<const float> features);
  // Overwrites row `to` by row `from` of a matrix of the same columns.
  void CopyRow(const FeatureMatrix& source, int from, int to);
  // Keeps the first rows; what new ones hold is unspecified.
  void Resize(int rows);

  // [columns][16], aligned to 64 bytes; rows past the last are finite.
  float* block(int index) { return lines_[Line(index)].rows; }
  const float* block(int index) const { return lines_[Line(index)].rows; }

 private:
  // One feature of a block.
  struct alignas(64) BlockLine {
    float rows[kBlockRows] = {};
  };
  size_t Line(int block) const { return static_cast<size_t>(block) * static_cast<size_t>(columns_); }

  int rows_ = 0, columns_ = 0;
  std::vector<BlockLine> lines_;
};

}  // namespace tilth
