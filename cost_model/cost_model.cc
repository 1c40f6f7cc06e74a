#include "cost_model/cost_model.h"

namespace tilth {

Status CheckLengths(const TrainingSet& data) {
  const auto rows = static_cast<size_t>(data.rows());
  if (rows != 0 && data.median_ns.size() == rows && data.group.size() == rows) return absl::OkStatus();
  return absl::InvalidArgumentError(StrCat("training set with ", rows, " rows, ", data.median_ns.size(), " times and ",
                                           data.group.size(), " groups"));
}

}  // namespace tilth
