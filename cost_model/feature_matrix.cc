#include "cost_model/feature_matrix.h"

#include "base/status.h"

namespace tilth {

std::vector<float> FeatureMatrix::row(int index) const {
  std::vector<float> copy(static_cast<size_t>(columns_));
  for (int column = 0; column < columns_; ++column) copy[static_cast<size_t>(column)] = at(index, column);
  return copy;
}

std::vector<float> FeatureMatrix::RowMajor() const {
  std::vector<float> values;
  values.reserve(static_cast<size_t>(rows_) * static_cast<size_t>(columns_));
  for (int row = 0; row < rows_; ++row) {
    for (int column = 0; column < columns_; ++column) values.push_back(at(row, column));
  }
  return values;
}

void FeatureMatrix::Append(std::span<const float> features) {
  if (rows_ == 0) columns_ = static_cast<int>(features.size());
  TILTH_CHECK(static_cast<int>(features.size()) == columns_);
  Resize(rows_ + 1);
  float* const first = block((rows_ - 1) / kBlockRows) + (rows_ - 1) % kBlockRows;
  for (size_t column = 0; column < features.size(); ++column) first[column * kBlockRows] = features[column];
}

void FeatureMatrix::CopyRow(const FeatureMatrix& source, int from, int to) {
  const float* const source_first = source.block(from / kBlockRows) + from % kBlockRows;
  float* const first = block(to / kBlockRows) + to % kBlockRows;
  for (int column = 0; column < columns_; ++column) first[column * kBlockRows] = source_first[column * kBlockRows];
}

void FeatureMatrix::Resize(int rows) {
  rows_ = rows;
  lines_.resize(Line(num_blocks()));
}

}  // namespace tilth
