// What `tilth model` prints.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

#include "base/status.h"
#include "cost_model/xgb_model.h"

namespace tilth {

enum class Split : uint8_t { kWithinTask, kByTask, kByDevice };

struct EvalArguments {
  std::vector<std::string> logs;
  std::string model;  // a model to judge as it is, a file or "shipped", instead of training any
  Split split = Split::kWithinTask;
  int folds = 5;
  std::string only;  // the name of the one kind of model to judge; empty: all
  XgbOptions forest;
  bool curves = false;
  bool ablation = false;
  bool json = false;
};

// Trains and judges every kind of model, or judges a given one; a table, or JSON, to `out`.
Status EvaluateModels(const EvalArguments& arguments, std::ostream& out);

}  // namespace tilth
