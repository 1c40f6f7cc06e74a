#include "tuner/contenders.h"

#include <algorithm>
#include <cmath>

#include "base/status.h"

namespace tilth {
namespace {

constexpr double kBeliefRows = 10;        // of evidence that the initial belief is worth
constexpr double kHalfLifeRows = 256;     // after so many candidates evidence counts half
constexpr double kNoise = 0.03;           // times closer than this are not told apart
constexpr double kMostWeight = 1;         // of a pair: the logarithm of its ratio, up to this
constexpr double kFailureNs = 1e15;       // slower than anything measured
constexpr double kClearDeviations = 1.4;  // of a share: a difference that tells two contenders apart

}  // namespace

int Contenders::Enter(Root root, double belief) {
  contenders_.push_back({.root = root, .belief = belief});
  return static_cast<int>(contenders_.size()) - 1;
}

void Contenders::Observe(int task, std::span<const float> scores, double median_ns) {
  TILTH_CHECK(scores.size() == contenders_.size());
  Row row = {task, std::log(median_ns > 0 ? median_ns : kFailureNs), {scores.begin(), scores.end()}};
  std::vector<double> right(contenders_.size(), 0.0);
  double all = 0;
  for (const Row& other : epoch_) {
    const double difference = other.log_time - row.log_time;
    if (other.task != task || std::abs(difference) < kNoise) continue;
    const double weight = std::min(std::abs(difference), kMostWeight);
    all += weight;
    for (size_t i = 0; i < contenders_.size(); ++i) {
      const double higher = static_cast<double>(row.scores[i]) - static_cast<double>(other.scores[i]);
      if (higher == 0) right[i] += weight / 2;
      if (higher * difference > 0) right[i] += weight;
    }
  }
  epoch_.push_back(std::move(row));
  if (all == 0) return;
  const double fade = std::exp2(-1 / kHalfLifeRows);
  for (size_t i = 0; i < contenders_.size(); ++i) {
    if (std::isnan(epoch_.back().scores[i])) continue;
    contenders_[i].right = fade * contenders_[i].right + right[i] / all;
    contenders_[i].seen = fade * contenders_[i].seen + 1;
  }
}

void Contenders::Inherit(int contender, int parent) {
  contenders_[static_cast<size_t>(contender)].right = contenders_[static_cast<size_t>(parent)].right;
  contenders_[static_cast<size_t>(contender)].seen = contenders_[static_cast<size_t>(parent)].seen;
}

double Contenders::Share(int contender) const {
  const Contender& c = contenders_[static_cast<size_t>(contender)];
  return (c.right + c.belief * kBeliefRows) / (c.seen + kBeliefRows);
}

int Contenders::Best(const std::vector<bool>& ready, bool except_root, Root root) const {
  int best = -1;
  for (int i = 0; i < static_cast<int>(contenders_.size()); ++i) {
    if (!ready[static_cast<size_t>(i)] || (except_root && contenders_[static_cast<size_t>(i)].root == root)) continue;
    if (best < 0 || Share(i) > Share(best)) best = i;
  }
  return best;
}

int Contenders::Choose(const std::vector<bool>& ready) {
  TILTH_CHECK(ready.size() == contenders_.size());
  const int leader = Best(ready, /*except_root=*/false, Root::kAnalytic);
  TILTH_CHECK(leader >= 0);
  if (++calls_ % 2 == 1) return leader;
  const int rival = Best(ready, /*except_root=*/true, contenders_[static_cast<size_t>(leader)].root);
  if (rival < 0) return leader;
  const double rows = contenders_[static_cast<size_t>(leader)].seen + kBeliefRows;
  return Share(leader) - Share(rival) < kClearDeviations * std::sqrt(0.25 / rows) ? rival : leader;
}

}  // namespace tilth
