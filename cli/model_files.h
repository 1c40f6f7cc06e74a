// Model files for `tilth model train` and `tilth model list`.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "base/status.h"
#include "cost_model/xgb_model.h"

namespace tilth {

struct TrainArguments {
  std::vector<std::string> logs;
  std::string output;
  XgbOptions forest = {.rounds = 200};
  bool json = false;
};

// Writes the file, and what it holds to `out`.
Status TrainModelFile(const TrainArguments& arguments, std::ostream& out);

struct ListArguments {
  std::vector<std::string> paths;  // of files and folders; empty: the shipped model
  bool json = false;
};

// A file that cannot be used has its error in the list, not as the result.
Status ListModels(const ListArguments& arguments, std::ostream& out);

}  // namespace tilth
