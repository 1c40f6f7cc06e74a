#include "cost_model/validation.h"

#include <algorithm>
#include <numeric>

#include "base/rng.h"
#include "cost_model/features.h"

namespace tilth {
namespace {

template <typename T>
void Shuffle(std::vector<T>* values, uint64_t seed) {
  Rng rng(seed);
  for (size_t i = values->size(); i > 1; --i) std::swap((*values)[i - 1], (*values)[rng.Below(i)]);
}

std::string_view BlockOf(std::string_view feature) { return feature.substr(0, feature.find('.')); }

// Folds from the fold number in which each row is tested.
std::vector<Fold> FromNumbers(std::span<const int> number_of_row, int folds) {
  std::vector<Fold> result(static_cast<size_t>(folds));
  for (size_t row = 0; row < number_of_row.size(); ++row) {
    for (int fold = 0; fold < folds; ++fold) {
      auto& rows =
          fold == number_of_row[row] ? result[static_cast<size_t>(fold)].test : result[static_cast<size_t>(fold)].train;
      rows.push_back(static_cast<int>(row));
    }
  }
  return result;
}

}  // namespace

std::vector<Fold> SplitRows(const TrainingSet& data, int folds, uint64_t seed) {
  std::vector<int> numbers(static_cast<size_t>(data.rows()));
  for (size_t row = 0; row < numbers.size(); ++row) numbers[row] = static_cast<int>(row) % folds;
  Shuffle(&numbers, seed);
  return FromNumbers(numbers, folds);
}

StatusOr<std::vector<Fold>> SplitUnits(const TrainingSet& data, std::span<const int> unit_of_group, int folds,
                                       uint64_t seed) {
  std::vector<int> units(unit_of_group.begin(), unit_of_group.end());
  std::sort(units.begin(), units.end());
  units.erase(std::unique(units.begin(), units.end()), units.end());
  if (units.size() < 2) {
    return absl::InvalidArgumentError("the records are all of one workload or device: there is nothing to hold out");
  }
  folds = std::min(folds, static_cast<int>(units.size()));
  Shuffle(&units, seed);
  std::vector<int> number_of_row;
  for (const int group : data.group) {
    const auto position = std::find(units.begin(), units.end(), unit_of_group[static_cast<size_t>(group)]);
    number_of_row.push_back(static_cast<int>(position - units.begin()) % folds);
  }
  return FromNumbers(number_of_row, folds);
}

TrainingSet SelectRows(const TrainingSet& data, std::span<const int> rows) {
  TrainingSet selected;
  selected.features = FeatureMatrix(data.features.columns());
  for (const int row : rows) {
    const auto i = static_cast<size_t>(row);
    selected.Append(data.features.row(row), data.median_ns[i], data.group[i]);
  }
  return selected;
}

StatusOr<RankingFigures> CrossValidate(const TrainingSet& data, std::span<const Fold> folds,
                                       const ModelFactory& factory) {
  RankingFigures total;
  for (const Fold& fold : folds) {
    TILTH_ASSIGN_OR_RETURN(const std::unique_ptr<CostModel> model, factory());
    TILTH_RETURN_IF_ERROR(model->Update(SelectRows(data, fold.train)), "training the ", model->name(), " model");
    const TrainingSet test = SelectRows(data, fold.test);
    TILTH_ASSIGN_OR_RETURN(const std::vector<float> scores, model->Predict(test.features));
    total = Combine(total, EvaluateRanking(scores, test));
  }
  return total;
}

Fold WithTrainingRows(const Fold& fold, int rows, uint64_t seed) {
  Fold smaller = fold;
  if (rows >= static_cast<int>(fold.train.size())) return smaller;
  Shuffle(&smaller.train, seed);
  smaller.train.resize(static_cast<size_t>(rows));
  std::sort(smaller.train.begin(), smaller.train.end());
  return smaller;
}

std::vector<std::string> FeatureBlocks() {
  std::vector<std::string> blocks;
  for (const std::string& name : FeatureNames()) {
    const std::string_view block = BlockOf(name);
    if (std::find(blocks.begin(), blocks.end(), block) == blocks.end()) blocks.emplace_back(block);
  }
  return blocks;
}

TrainingSet WithoutBlock(const TrainingSet& data, std::string_view block) {
  TrainingSet without = data;
  const std::vector<std::string>& names = FeatureNames();
  for (size_t column = 0; column < names.size(); ++column) {
    if (BlockOf(names[column]) != block) continue;
    for (int part = 0; part < without.features.num_blocks(); ++part) {
      std::fill_n(without.features.block(part) + column * FeatureMatrix::kBlockRows, FeatureMatrix::kBlockRows, 0.0f);
    }
  }
  return without;
}

}  // namespace tilth
