#include "tuner/evolutionary_search.h"

#include <cmath>
#include <limits>
#include <set>

#include "cost_model/corrected_prior.h"
#include "cost_model/features.h"
#include "gtest/gtest.h"
#include "tests/tuner/fixtures.h"
#include "tuner/feature_scorer.h"

namespace tilth {
namespace {

// A smooth time over the schedule with one optimum away from the default; what the search has to find.
double SyntheticNs(const SearchSpace& space, const Candidate& candidate) {
  const LoopNest nest = space.Resolve(candidate);
  const auto& tiled = std::get<TiledSchedule>(nest.schedule);
  const auto distance = [](int64_t value, double wanted) {
    return std::pow(std::log2(static_cast<double>(value)) - std::log2(wanted), 2);
  };
  return 1000 * (1 + 0.3 * distance(tiled.rows * tiled.columns, 6) + 0.3 * distance(tiled.vectors, 2) +
                 0.1 * distance(tiled.row_tiles, 4) + 0.1 * distance(tiled.column_tiles, 2) +
                 0.1 * distance(tiled.vector_tiles, 2) + 0.05 * distance(tiled.k_unroll, 4) +
                 0.2 * (tiled.pack_right ? 0 : 1));
}

// The best time after `budget` evaluations in batches, learning as a session does.
double SearchedBest(const SearchSpace& space, int budget, uint64_t seed) {
  Rng rng(seed);
  const auto policy = MakeEvolutionarySearch({.population = 64, .generations = 3});
  const auto model = CorrectedPrior::Create({.rounds = 40}).value();
  TrainingSet data;
  std::vector<MeasuredCandidate> measured;
  TakenCandidates taken;
  double best = std::numeric_limits<double>::infinity();
  std::vector<float> row(static_cast<size_t>(NumFeatures()));
  while (static_cast<int>(measured.size()) < budget) {
    FeatureScorer scorer(space, *model);
    const auto proposals = policy->Propose(
        {.space = &space, .scorer = &scorer, .measured = measured, .taken = &taken, .count = 8}, rng);
    EXPECT_TRUE(proposals.ok()) << proposals.status();
    for (const Proposal& proposal : *proposals) {
      const double time = SyntheticNs(space, proposal.candidate);
      best = std::min(best, time);
      taken.Insert(space, proposal.candidate);
      measured.push_back({proposal.candidate, time});
      ExtractFeatures(space.Resolve(proposal.candidate), space.target(), row);
      data.Append(row, time, 0);
    }
    EXPECT_TRUE(model->Update(data).ok());
  }
  return best;
}

double RandomBest(const SearchSpace& space, int budget, uint64_t seed) {
  Rng rng(seed);
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i < budget; ++i) best = std::min(best, SyntheticNs(space, space.Random(rng)));
  return best;
}

TEST(EvolutionarySearch, BeatsRandomAtEqualBudgetOverManySeeds) {
  const auto space = testing::MatmulSpace(192, 192, 192);
  constexpr int kSeeds = 32, kBudget = 40;
  int wins = 0;
  double searched_sum = 0, random_sum = 0;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const double searched = SearchedBest(*space, kBudget, seed), random = RandomBest(*space, kBudget, seed);
    wins += searched < random ? 1 : 0;
    searched_sum += searched;
    random_sum += random;
  }
  EXPECT_GE(wins, kSeeds * 3 / 4);
  EXPECT_LT(searched_sum, random_sum);
}

class ProposalTest : public ::testing::Test {
 protected:
  std::vector<Proposal> Propose(const SearchSpace& space, int count, uint64_t seed = 1) {
    Rng rng(seed);
    FeatureScorer scorer(space, *model_);
    const auto proposals = policy_->Propose(
        {.space = &space, .scorer = &scorer, .measured = {}, .taken = &taken_, .count = count}, rng);
    EXPECT_TRUE(proposals.ok()) << proposals.status();
    return proposals.value_or(std::vector<Proposal>());
  }
  std::unique_ptr<SearchPolicy> policy_ = MakeEvolutionarySearch();
  std::unique_ptr<CostModel> model_ = MakeAnalyticModel();
  TakenCandidates taken_;
};

TEST_F(ProposalTest, AreDistinctSchedulesAndNeverTaken) {
  const auto space = testing::MatmulSpace();
  std::set<uint64_t> schedules;
  for (int batch = 0; batch < 5; ++batch) {
    const auto proposals = Propose(*space, 16);
    EXPECT_EQ(proposals.size(), 16u);
    for (const Proposal& proposal : proposals) {
      EXPECT_TRUE(schedules.insert(space->KeyOf(proposal.candidate)).second);
      taken_.Insert(*space, proposal.candidate);
    }
  }
}

TEST_F(ProposalTest, AreTheSameForTheSameSeed) {
  const auto space = testing::MatmulSpace();
  const auto first = Propose(*space, 8, 7), second = Propose(*space, 8, 7), other = Propose(*space, 8, 8);
  int different = 0;
  for (size_t i = 0; i < 8; ++i) {
    EXPECT_EQ(first[i].candidate, second[i].candidate);
    different += first[i].candidate == other[i].candidate ? 0 : 1;
  }
  EXPECT_GT(different, 0);
}

TEST_F(ProposalTest, EndWhenASmallSpaceIsExhausted) {
  const std::shared_ptr<const SearchSpace> space =
      SearchSpace::Create(testing::Matmul(1, 8, 1), ParseTarget("x86-64-v3").value()).value();
  std::set<uint64_t> schedules;
  ASSERT_LE(space->Size(), 2048u);
  for (uint64_t i = 0; i < space->Size(); ++i) schedules.insert(space->KeyOf(space->At(i)));
  size_t proposed = 0;
  for (;;) {
    const auto proposals = Propose(*space, 8);
    proposed += proposals.size();
    for (const Proposal& proposal : proposals) taken_.Insert(*space, proposal.candidate);
    if (proposals.size() < 8) break;
  }
  EXPECT_EQ(proposed, schedules.size());
}

TEST_F(ProposalTest, FitTheirSketch_WhereSketchesHaveOptionsOfTheirOwn) {
  const std::shared_ptr<const SearchSpace> space =
      SearchSpace::Create(testing::ConvRelu(9, 30, 16, 24), ParseTarget("x86-64-v3").value()).value();
  std::set<int> sketches;
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    for (const Proposal& proposal : Propose(*space, 16, seed)) {
      const auto& knobs = space->sketches()[proposal.candidate.sketch]->knobs();
      sketches.insert(proposal.candidate.sketch);
      ASSERT_EQ(proposal.candidate.num_knobs, knobs.size());
      for (size_t knob = 0; knob < knobs.size(); ++knob)
        ASSERT_LT(proposal.candidate.rows[knob], knobs[knob].options.size());
    }
  }
  EXPECT_GT(sketches.size(), 1u);
}

TEST_F(ProposalTest, CountsWhatItScored) {
  const auto space = testing::MatmulSpace();
  Propose(*space, 8);
  EXPECT_GT(policy_->candidates_scored(), 100);
}

}  // namespace
}  // namespace tilth
