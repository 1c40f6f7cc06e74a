#include "tuner/feature_scorer.h"

#include <algorithm>

#include "cost_model/features.h"
#include "gtest/gtest.h"
#include "tests/tuner/fixtures.h"

namespace tilth {
namespace {

// The prior, counting what it is asked.
class CountingModel : public CostModel {
 public:
  std::string name() const override { return "counting"; }
  Status Update(const TrainingSet&) override { return absl::OkStatus(); }
  StatusOr<std::vector<float>> Predict(const FeatureMatrix& features) const override {
    if (fails) return absl::InternalError("no prediction today");
    rows += features.rows();
    return prior_->Predict(features);
  }

  mutable int rows = 0;
  bool fails = false;

 private:
  std::unique_ptr<CostModel> prior_ = MakeAnalyticModel();
};

class FeatureScorerTest : public ::testing::Test {
 protected:
  FeatureScorerTest() {
    Rng rng(1);
    for (int i = 0; i < 3000; ++i) candidates_.push_back(space_->Random(rng));
    scores_.resize(candidates_.size());
    keys_.resize(candidates_.size());
  }

  std::shared_ptr<const SearchSpace> space_ =
      SearchSpace::Create(testing::ConvRelu(9, 30, 16, 24), ParseTarget("x86-64-v3").value()).value();
  CountingModel model_;
  std::vector<Candidate> candidates_;
  std::vector<float> scores_;
  std::vector<uint64_t> keys_;
};

TEST_F(FeatureScorerTest, GivesEachCandidateTheScoreOfItsOwnFeatures) {
  FeatureScorer scorer(*space_, model_);
  ASSERT_TRUE(scorer.Score(candidates_, scores_, keys_).ok());
  const std::vector<float> expected = MakeAnalyticModel()->Predict(ExtractFeatures(*space_, candidates_)).value();
  EXPECT_EQ(scores_, expected);
  for (size_t i = 0; i < candidates_.size(); ++i) EXPECT_EQ(keys_[i], space_->KeyOf(candidates_[i]));
}

TEST_F(FeatureScorerTest, AsksTheModelOnceForEachKey) {
  FeatureScorer scorer(*space_, model_);
  ASSERT_TRUE(scorer.Score(candidates_, scores_, keys_).ok());
  const int asked = model_.rows;
  const std::vector<float> first = scores_;
  std::fill(scores_.begin(), scores_.end(), 0.0f);
  ASSERT_TRUE(scorer.Score(candidates_, scores_, keys_).ok());
  EXPECT_EQ(model_.rows, asked);
  EXPECT_EQ(scores_, first);
}

TEST_F(FeatureScorerTest, PassesTheModelsErrorOn) {
  model_.fails = true;
  FeatureScorer scorer(*space_, model_);
  EXPECT_EQ(scorer.Score(candidates_, scores_, keys_).code(), absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace tilth
