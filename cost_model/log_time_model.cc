#include "cost_model/log_time_model.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace tilth {
namespace {

struct GroupTimes {
  double best_ns = 0, slowest_ns = 0;  // 0: all failed
};

std::map<int, GroupTimes> Times(const TrainingSet& data) {
  std::map<int, GroupTimes> times;
  for (size_t i = 0; i < data.median_ns.size(); ++i) {
    GroupTimes& group = times[data.group[i]];
    const double time = data.median_ns[i];
    if (time <= 0) continue;
    group.best_ns = group.best_ns > 0 ? std::min(group.best_ns, time) : time;
    group.slowest_ns = std::max(group.slowest_ns, time);
  }
  return times;
}

void SubtractGroupMeans(std::span<const int> groups, std::vector<float>* values) {
  struct Sum {
    double value = 0;
    int count = 0;
  };
  std::map<int, Sum> sums;
  for (size_t i = 0; i < values->size(); ++i) {
    Sum& sum = sums[groups[i]];
    sum.value += (*values)[i];
    ++sum.count;
  }
  for (size_t i = 0; i < values->size(); ++i) {
    const Sum& sum = sums[groups[i]];
    (*values)[i] -= static_cast<float>(sum.value / sum.count);
  }
}

}  // namespace

StatusOr<std::unique_ptr<LogTimeModel>> LogTimeModel::Create(const XgbOptions& options) {
  TILTH_ASSIGN_OR_RETURN(std::unique_ptr<XgbModel> forest, XgbModel::Create(options));
  return std::unique_ptr<LogTimeModel>(new LogTimeModel(std::move(forest)));
}

Status LogTimeModel::Update(const TrainingSet& data) {
  TILTH_RETURN_IF_ERROR(CheckLengths(data));
  const std::map<int, GroupTimes> times = Times(data);
  std::vector<float> labels, weights;
  for (size_t i = 0; i < data.median_ns.size(); ++i) {
    const GroupTimes& group = times.at(data.group[i]);
    // A group of failures alone says nothing about differences: all the same.
    const double worst_ns = group.slowest_ns > 0 ? 2 * group.slowest_ns : 1;
    const double time_ns = data.median_ns[i] > 0 ? data.median_ns[i] : worst_ns;
    labels.push_back(static_cast<float>(-std::log2(time_ns)));
    weights.push_back(static_cast<float>(group.best_ns > 0 ? group.best_ns / time_ns : 1));
  }
  SubtractGroupMeans(data.group, &labels);
  return forest_->Fit(data.features, labels, weights);
}

}  // namespace tilth
