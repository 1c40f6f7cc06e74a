// Every policy against spaces whose optimum is known from enumerating them.
#include "tuner/policies.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "search_space/parameter_space.h"
#include "tuner/parameter_scorer.h"
#include "tuner/portfolio_search.h"

namespace tilth {
namespace {

using ::testing::HasSubstr;

constexpr char kSpace[] = R"({"name": "tiles", "parameters": {
  "X": [1, 2, 4, 8, 16, 32, 64], "Y": [1, 2, 3, 4, 6, 8, 12, 16], "Z": [1, 2, 4, 8, 16], "A": [0, 1], "B": [0, 1]},
  "constraints": ["X * Y <= 256"]})";

std::unique_ptr<ParameterSpace> Space(const char* json = kSpace) { return ParameterSpace::FromJson(json).value(); }

// A valley for each value of B, of which only one is deep; some corners fail (0).
double SyntheticNs(const ParameterSpace& space, const Candidate& candidate) {
  const auto value = [&](size_t knob) {
    return static_cast<double>(space.knobs(0)[knob].options[candidate.rows[knob]][0]);
  };
  const double x = std::log2(value(0)), y = std::log2(value(1)), z = std::log2(value(2));
  if (x + z > 9) return 0;
  const double deep = 1000 * (1 + 0.2 * std::pow(x - 3, 2) + 0.1 * std::pow(y - x + 1, 2) + 0.1 * std::pow(z - 2, 2));
  const double shallow = 1500 * (1 + 0.02 * std::pow(x - 5, 2) + 0.02 * std::pow(z - 1, 2));
  return (value(4) > 0 ? deep : shallow) * (value(3) > 0 ? 1 : 1.1);
}

double Optimum(const ParameterSpace& space) {
  double best = std::numeric_limits<double>::infinity();
  for (const Candidate& point : space.points())
    if (const double ns = SyntheticNs(space, point); ns > 0) best = std::min(best, ns);
  return best;
}

struct Search {
  std::vector<MeasuredCandidate> measured;
  double best_ns = std::numeric_limits<double>::infinity();
};

Search Searched(const ParameterSpace& space, const std::string& name, int budget, uint64_t seed, int batch = 1) {
  const auto policy = MakeParameterPolicy(name).value();
  ParameterScorer scorer(space, seed);
  Rng rng(seed);
  TakenCandidates taken;
  Search search;
  std::set<Candidate> seen;
  while (static_cast<int>(search.measured.size()) < budget) {
    scorer.Update(search.measured);
    const auto proposals = policy->Propose(
        {.space = &space, .scorer = &scorer, .measured = search.measured, .taken = &taken, .count = batch}, rng);
    EXPECT_TRUE(proposals.ok()) << proposals.status();
    EXPECT_LE(static_cast<int>(proposals->size()), batch);
    for (const Proposal& proposal : *proposals) {
      EXPECT_TRUE(space.IsAllowed(proposal.candidate));
      EXPECT_TRUE(seen.insert(proposal.candidate).second);
      EXPECT_FALSE(proposal.origin.empty());
      taken.Insert(space, proposal.candidate);
      const double ns = SyntheticNs(space, proposal.candidate);
      search.measured.push_back({proposal.candidate, ns});
      if (ns > 0) search.best_ns = std::min(search.best_ns, ns);
    }
    if (static_cast<int>(proposals->size()) < batch) break;
  }
  return search;
}

class PolicyTest : public ::testing::TestWithParam<std::string> {};

TEST_P(PolicyTest, ProposesEveryPointOnceAndThenEnds) {
  const auto space = Space(R"({"parameters": {"X": [1, 2, 4], "Y": [1, 2, 4, 8], "Z": [1], "A": [0, 1], "B": [1]},
                               "constraints": ["X * Y <= 16"]})");
  const Search search = Searched(*space, GetParam(), 1000, 1, 4);
  EXPECT_EQ(search.measured.size(), space->points().size());
}

TEST_P(PolicyTest, RepeatsItselfForTheSameSeed) {
  const auto space = Space();
  const Search first = Searched(*space, GetParam(), 24, 7), second = Searched(*space, GetParam(), 24, 7);
  for (size_t i = 0; i < first.measured.size(); ++i)
    EXPECT_EQ(first.measured[i].candidate, second.measured[i].candidate);
}

INSTANTIATE_TEST_SUITE_P(All, PolicyTest, ::testing::ValuesIn(PolicyNames()),
                         [](const auto& info) { return info.param; });

TEST(Policies, FindTheOptimumThatRandomMisses) {
  const auto space = Space();
  const double optimum = Optimum(*space);
  const auto mean = [&](const std::string& name) {
    double sum = 0;
    for (uint64_t seed = 1; seed <= 6; ++seed) sum += optimum / Searched(*space, name, 50, seed).best_ns / 6;
    return sum;
  };
  const double random = mean("random");
  EXPECT_GT(mean("evolutionary"), std::max(0.9, random));
  EXPECT_LT(random, 0.98);
}

TEST(Policies, ClimbingEndsWhereNoNeighbourIsBetter) {
  const auto space = Space();
  const Search search = Searched(*space, "climb", 250, 1);
  const auto best = std::find_if(search.measured.begin(), search.measured.end(),
                                 [&](const MeasuredCandidate& entry) { return entry.median_ns == search.best_ns; });
  for (const Candidate& neighbour : space->Neighbours(best->candidate, 100)) {
    const double ns = SyntheticNs(*space, neighbour);
    EXPECT_TRUE(ns == 0 || ns >= search.best_ns);
  }
}

TEST(Policies, SearchSpacesThatCannotBeListed) {
  std::string values;
  for (int i = 0; i < 16; ++i) values += (i > 0 ? "," : "") + std::to_string(1 << i);
  const auto space =
      Space((R"({"parameters": {"X": [)" + values + R"(], "Y": [)" + values + R"(], "Z": [)" + values + R"(], "A": [)" +
             values + R"(], "B": [)" + values + R"(], "C": [)" + values + R"(]}, "constraints": ["X * Y <= 100000"]})")
                .c_str());
  ASSERT_TRUE(space->points().empty());
  EXPECT_LT(Searched(*space, "evolutionary", 40, 1).best_ns, Searched(*space, "random", 40, 1).best_ns * 1.05);
  const auto policy = MakeParameterPolicy("exhaustive").value();
  ParameterScorer scorer(*space, 1);
  Rng rng(1);
  TakenCandidates taken;
  const auto proposals =
      policy->Propose({.space = space.get(), .scorer = &scorer, .measured = {}, .taken = &taken, .count = 1}, rng);
  EXPECT_EQ(proposals.status().code(), absl::StatusCode::kResourceExhausted);
}

TEST(Policies, UnknownNamesAreAnsweredWithTheKnown) {
  const Status status = MakeKernelPolicy("best").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("evolutionary, climb, random, exhaustive, portfolio"));
}

TEST(ParameterScorer, GoesOnWithMoreMeasurementsThanItLearnsFrom) {
  const auto space = Space();
  std::vector<MeasuredCandidate> measured;
  for (size_t i = 0; i < space->points().size() && i < 450; ++i)
    measured.push_back({space->points()[i], SyntheticNs(*space, space->points()[i])});
  ParameterScorer scorer(*space, 1);
  scorer.Update(measured);
  std::vector<float> scores(space->points().size());
  std::vector<uint64_t> keys(scores.size());
  ASSERT_TRUE(scorer.Score(space->points(), scores, keys).ok());
  for (float score : scores) EXPECT_TRUE(std::isfinite(score));
}

TEST(ParameterScorer, GoesOnWhenEverythingFails) {
  const auto space = Space();
  std::vector<MeasuredCandidate> measured;
  for (size_t i = 0; i < 40; ++i) measured.push_back({space->points()[7 * i], 0});
  ParameterScorer scorer(*space, 1);
  scorer.Update(measured);
  std::vector<float> scores(space->points().size());
  std::vector<uint64_t> keys(scores.size());
  ASSERT_TRUE(scorer.Score(space->points(), scores, keys).ok());
  for (float score : scores) EXPECT_TRUE(std::isfinite(score));
}

// Proposes points in order, from the front or from the back of the list.
class Sequence : public SearchPolicy {
 public:
  Sequence(std::string origin, bool forward) : origin_(std::move(origin)), forward_(forward) {}
  StatusOr<std::vector<Proposal>> Propose(const SearchRequest& request, Rng&) override {
    const std::vector<Candidate> all = request.space->Enumerate(100'000);
    for (size_t i = 0; i < all.size(); ++i) {
      const Candidate& candidate = all[forward_ ? i : all.size() - 1 - i];
      if (!request.taken->Contains(candidate)) return std::vector<Proposal>{{candidate, origin_}};
    }
    return std::vector<Proposal>{};
  }
  int64_t candidates_scored() const override { return 1; }

 private:
  std::string origin_;
  bool forward_;
};

TEST(Portfolio, GivesTheBudgetToWhoImproves) {
  const auto space = Space();
  std::vector<std::unique_ptr<SearchPolicy>> policies;
  policies.push_back(std::make_unique<Sequence>("forward", true));
  policies.push_back(std::make_unique<Sequence>("backward", false));
  const auto portfolio = MakePortfolioSearch(std::move(policies));
  EXPECT_EQ(portfolio->candidates_scored(), 2);
  ParameterScorer scorer(*space, 1);
  Rng rng(1);
  TakenCandidates taken;
  std::vector<MeasuredCandidate> measured;
  int forward = 0;
  double good_ns = 1e6;
  for (int i = 0; i < 200; ++i) {
    const auto proposals = portfolio->Propose(
        {.space = space.get(), .scorer = &scorer, .measured = measured, .taken = &taken, .count = 1}, rng);
    ASSERT_TRUE(proposals.ok());
    const Proposal& proposal = proposals->front();
    taken.Insert(*space, proposal.candidate);
    forward += proposal.origin == "forward" ? 1 : 0;
    measured.push_back({proposal.candidate, proposal.origin == "forward" ? good_ns *= 0.99 : 1e7});
  }
  EXPECT_GT(forward, 150);
  EXPECT_LT(forward, 200);
}

}  // namespace
}  // namespace tilth
