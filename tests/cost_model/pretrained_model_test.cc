#include "cost_model/pretrained_model.h"

#include "base/files.h"
#include "base/rng.h"
#include "cost_model/features.h"
#include "cost_model/xgb_model.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace tilth {
namespace {

using ::testing::HasSubstr;

struct Trained {
  std::unique_ptr<XgbModel> forest = XgbModel::Create({.rounds = 5}).value();
  FeatureMatrix features;
  std::string bytes;
};

Trained Train() {
  Trained trained;
  Rng rng(1);
  std::vector<float> labels, row(static_cast<size_t>(NumFeatures()));
  for (int i = 0; i < 50; ++i) {
    for (float& value : row) value = static_cast<float>(rng.Uniform());
    trained.features.Append(row);
    labels.push_back(row[2]);
  }
  EXPECT_TRUE(trained.forest->Fit(trained.features, labels, {}).ok());
  ModelInfo info;
  info.records = 50;
  info.tasks = 3;
  info.machines = {{"x86_64", 32}};
  info.devices = {"board-1"};
  info.figures["by_task.peak_at_1"] = 0.9;
  trained.bytes = PretrainedModel::ToBytes(info, *trained.forest).value();
  return trained;
}

// The plain JSON of a model file with one member changed.
std::string Edited(const char* member, const nlohmann::json& value) {
  nlohmann::json document = {{"tilth_model", kModelFileVersion},
                             {"feature_version", kFeatureVersion},
                             {"trained_on",
                              {{"records", 1},
                               {"tasks", 1},
                               {"machines", nlohmann::json::array()},
                               {"devices", nlohmann::json::array()},
                               {"space_version", 1},
                               {"tilth_version", "0"},
                               {"figures", nlohmann::json::object()}}},
                             {"forest", nlohmann::json::object()}};
  document[member] = value;
  return document.dump();
}

std::string MessageFor(std::string_view bytes) {
  const auto model = PretrainedModel::Parse(bytes);
  EXPECT_EQ(model.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(model.status().message());
}

TEST(PretrainedModel, KeepsPredictionsAndWhatItWasTrainedOn) {
  const Trained trained = Train();
  const auto model = PretrainedModel::Parse(trained.bytes).value();
  EXPECT_EQ(model->Predict(trained.features).value(), trained.forest->Predict(trained.features).value());
  EXPECT_EQ(model->info().records, 50);
  EXPECT_EQ(model->info().tasks, 3);
  EXPECT_EQ(model->info().devices, std::vector<std::string>{"board-1"});
  EXPECT_EQ(model->info().feature_version, kFeatureVersion);
  EXPECT_EQ(model->info().figures.at("by_task.peak_at_1"), 0.9);
}

TEST(PretrainedModel, FitsMachinesOfTheClassesItHasSeen) {
  const auto model = PretrainedModel::Parse(Train().bytes).value();
  EXPECT_TRUE(model->Fits(ParseTarget("x86-64-v3").value()));
  EXPECT_FALSE(model->Fits(ParseTarget("x86-64-v4").value()));
  EXPECT_FALSE(model->Fits(ParseTarget("rpi4").value()));
}

TEST(PretrainedModel, RefusesWhatIsNoModel) {
  EXPECT_THAT(MessageFor(""), HasSubstr("not a cost model"));
  EXPECT_THAT(MessageFor("[1,2]"), HasSubstr("not a cost model"));
  EXPECT_THAT(MessageFor("{\"tilth_model\":\"new\"}"), HasSubstr("not a cost model"));
}

TEST(PretrainedModel, RefusesOtherVersionsNamingBoth) {
  EXPECT_THAT(MessageFor(Edited("tilth_model", 99)), HasSubstr("version 99; this program reads version 1"));
  EXPECT_THAT(MessageFor(Edited("feature_version", kFeatureVersion + 1)),
              HasSubstr(StrCat("feature version ", kFeatureVersion + 1, "; this program has version ", kFeatureVersion,
                               ": train a new one")));
}

TEST(PretrainedModel, RefusesDamage) {
  const std::string bytes = Train().bytes;
  EXPECT_THAT(MessageFor(std::string_view(bytes).substr(0, bytes.size() / 2)), HasSubstr("damaged"));
  EXPECT_THAT(MessageFor(std::string_view(bytes).substr(0, 6)), HasSubstr("damaged"));
  EXPECT_THAT(MessageFor(Edited("trained_on", 7)), HasSubstr("damaged"));
  EXPECT_THAT(MessageFor(Edited("forest", "none")), HasSubstr("damaged"));
  const std::string deep = std::string(300'000, '[') + std::string(300'000, ']');
  EXPECT_THAT(MessageFor(StrCat("{\"tilth_model\":1,\"forest\":", deep, "}")), HasSubstr("nested more than"));
}

TEST(PretrainedModel, NamesTheFileThatIsNoGood) {
  const TempDir directory = TempDir::Create().value();
  const std::string path = directory.File("x.model");
  ASSERT_TRUE(WriteFile(path, "nonsense").ok());
  EXPECT_THAT(std::string(PretrainedModel::ReadFile(path).status().message()), HasSubstr(path));
  EXPECT_EQ(PretrainedModel::ReadFile(directory.File("none")).status().code(), absl::StatusCode::kNotFound);
}

TEST(ShippedModel, IsOfThisVersionAndKnowsThePresetsOfX86) {
  const auto model = ShippedModel();
  ASSERT_TRUE(model.ok()) << model.status() << "\nrun scripts/train-model";
  EXPECT_TRUE((*model)->Fits(ParseTarget("x86-64-v3").value()));
  EXPECT_TRUE((*model)->Fits(ParseTarget("x86-64-v4").value()));
  EXPECT_GT((*model)->info().figures.at("by_task.peak_at_1"), 0.8);
}

}  // namespace
}  // namespace tilth
