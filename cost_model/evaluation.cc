#include "cost_model/evaluation.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <vector>

namespace tilth {
namespace {

constexpr size_t kRecallSize = 30;

struct Scored {
  double time_ns = 0;
  float score = 0;
};

// Moves the mean by a part that has `weight` of the `total`.
void AddToMean(double part, double weight, double total, double* mean) {
  if (total > 0) *mean += (part - *mean) * weight / total;
}

struct PairCounts {
  double right = 0, all = 0;
  double Share() const { return all > 0 ? right / all : 1; }
};

void CountPairs(std::span<const Scored> by_time, PairCounts* different, PairCounts* apart) {
  for (size_t fast = 0; fast < by_time.size(); ++fast) {
    for (size_t slow = fast + 1; slow < by_time.size(); ++slow) {
      const Scored &a = by_time[fast], &b = by_time[slow];
      if (a.time_ns == b.time_ns) continue;
      const double right = a.score == b.score ? 0.5 : (a.score > b.score ? 1 : 0);
      different->right += right;
      different->all += 1;
      if (b.time_ns <= (1 + kApart) * a.time_ns) continue;
      apart->right += right;
      apart->all += 1;
    }
  }
}

RankingFigures EvaluateGroup(std::vector<Scored> rows) {
  std::stable_sort(rows.begin(), rows.end(), [](const Scored& a, const Scored& b) { return a.time_ns < b.time_ns; });
  RankingFigures figures;
  figures.groups = 1;
  figures.rows = static_cast<int>(rows.size());
  PairCounts different, apart;
  CountPairs(rows, &different, &apart);
  figures.pairwise_accuracy = different.Share();
  figures.accuracy_apart = apart.Share();

  // Positions in the order of times, by falling score; of equal scores the slower first: no credit for a tie.
  std::vector<size_t> by_score(rows.size());
  std::iota(by_score.rbegin(), by_score.rend(), size_t{0});
  std::stable_sort(by_score.begin(), by_score.end(), [&](size_t a, size_t b) { return rows[a].score > rows[b].score; });
  const size_t best_of_5 = *std::min_element(by_score.begin(), by_score.begin() + std::min<size_t>(5, rows.size()));
  figures.peak_at_1 = rows.front().time_ns / rows[by_score.front()].time_ns;
  figures.peak_at_5 = rows.front().time_ns / rows[best_of_5].time_ns;
  if (rows.size() >= 2 * kRecallSize) {
    figures.recall_groups = 1;
    figures.recall_at_30 = static_cast<double>(std::count_if(by_score.begin(), by_score.begin() + kRecallSize,
                                                             [](size_t position) { return position < kRecallSize; })) /
                           static_cast<double>(kRecallSize);
  }
  return figures;
}

}  // namespace

RankingFigures EvaluateRanking(std::span<const float> scores, const TrainingSet& data) {
  TILTH_CHECK(static_cast<int>(scores.size()) == data.rows());
  std::map<int, std::vector<Scored>> groups;
  for (size_t i = 0; i < scores.size(); ++i) {
    if (data.median_ns[i] > 0) groups[data.group[i]].push_back({data.median_ns[i], scores[i]});
  }
  RankingFigures total;
  for (auto& [group, rows] : groups) {
    if (static_cast<int>(rows.size()) >= kFewestRows) total = Combine(total, EvaluateGroup(std::move(rows)));
  }
  return total;
}

RankingFigures Combine(const RankingFigures& a, const RankingFigures& b) {
  RankingFigures sum = a;
  sum.groups += b.groups;
  sum.rows += b.rows;
  sum.recall_groups += b.recall_groups;
  AddToMean(b.pairwise_accuracy, b.groups, sum.groups, &sum.pairwise_accuracy);
  AddToMean(b.accuracy_apart, b.groups, sum.groups, &sum.accuracy_apart);
  AddToMean(b.peak_at_1, b.groups, sum.groups, &sum.peak_at_1);
  AddToMean(b.peak_at_5, b.groups, sum.groups, &sum.peak_at_5);
  AddToMean(b.recall_at_30, b.recall_groups, sum.recall_groups, &sum.recall_at_30);
  return sum;
}

}  // namespace tilth
