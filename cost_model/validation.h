// Which rows a cost model is trained on and which it is judged by: splits of a data set, learning curves, and what the
// blocks of features contribute.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "cost_model/cost_model.h"
#include "cost_model/evaluation.h"

namespace tilth {

// Makes an untrained model.
using ModelFactory = std::function<StatusOr<std::unique_ptr<CostModel>>()>;

// Row numbers of the data set, ascending.
struct Fold {
  std::vector<int> train;
  std::vector<int> test;
};

// Every row is a test row of one fold, drawn at random: candidates of known workloads.
std::vector<Fold> SplitRows(const TrainingSet& data, int folds, uint64_t seed);

// Rows stay with the unit of their group (unit_of_group[group]: a number of its workload, or of its device), and units
// are dealt out at random: workloads, or devices, never seen before. One fold per unit if there are fewer units.
// INVALID_ARGUMENT: fewer than two units.
StatusOr<std::vector<Fold>> SplitUnits(const TrainingSet& data, std::span<const int> unit_of_group, int folds,
                                       uint64_t seed);

TrainingSet SelectRows(const TrainingSet& data, std::span<const int> rows);

// Trains one model per fold and judges it by the fold's test rows.
StatusOr<RankingFigures> CrossValidate(const TrainingSet& data, std::span<const Fold> folds,
                                       const ModelFactory& factory);

// The fold with so many of its training rows, drawn at random; all of them if there are no more.
Fold WithTrainingRows(const Fold& fold, int rows, uint64_t seed);

// The blocks of features, in their order: what stands before the dot of a feature's name.
std::vector<std::string> FeatureBlocks();

// The data with the columns of a block set to zero, which hides them from trees.
TrainingSet WithoutBlock(const TrainingSet& data, std::string_view block);

}  // namespace tilth
