#include "search_space/recorded_space.h"

#include <gtest/gtest.h>

#include <set>

#include "base/files.h"
#include "base/subprocess.h"

namespace tilth {
namespace {

constexpr char kCache[] = R"({"device_name": "a device", "kernel_name": "k", "tune_params_keys": ["X", "MODE", "FIXED"],
  "tune_params": {"X": [1, 2, 4], "MODE": ["a", "b"], "FIXED": [7]},
  "cache": {
    "1,a,7": {"X": 1, "MODE": "a", "FIXED": 7, "time": 3.0, "times": [2.0, 4.0]},
    "2,a,7": {"X": 2, "MODE": "a", "FIXED": 7, "time": 1.5},
    "2,b,7": {"X": 2, "MODE": "b", "FIXED": 7, "time": "RuntimeFailedConfig"},
    "4,b,7": {"X": 4, "MODE": "b", "FIXED": 7},
    "4,a,7": {"X": 4, "MODE": "a", "FIXED": 7, "time": 1e20}}})";

TEST(RecordedSpace, ReadsPointsRepeatsAndFailures) {
  const auto recorded = RecordedSpace::Parse(kCache, "k");
  ASSERT_TRUE(recorded.ok()) << recorded.status();
  const ParameterSpace& space = (*recorded)->space();
  EXPECT_EQ(space.parameters().size(), 2u);  // FIXED does not vary
  EXPECT_EQ(space.points().size(), 5u);
  EXPECT_EQ((*recorded)->failures(), 3);
  EXPECT_EQ((*recorded)->best_mean_ms(), 1.5);
  EXPECT_EQ((*recorded)->sorted_means_ms(), (std::vector<double>{1.5, 3.0}));

  const Candidate repeated = space.FromJsonValues(R"({"X":"1","MODE":"a"})").value();
  EXPECT_EQ((*recorded)->MeanMs(repeated), 3.0);
  Rng rng(1);
  std::set<double> drawn;
  for (int i = 0; i < 64; ++i) drawn.insert((*recorded)->DrawMs(repeated, rng));
  EXPECT_EQ(drawn, (std::set<double>{2.0, 4.0}));
  const Candidate failed = space.FromJsonValues(R"({"X":"4","MODE":"b"})").value();
  EXPECT_EQ((*recorded)->MeanMs(failed), 0);
  EXPECT_EQ((*recorded)->DrawMs(failed, rng), 0);
  EXPECT_FALSE(space.FromJsonValues(R"({"X":"1","MODE":"b"})").ok());  // was not measured
}

TEST(RecordedSpace, ReadsCompressedFiles) {
  const auto directory = TempDir::Create();
  ASSERT_TRUE(directory.ok());
  const std::string path = directory->File("space.json");
  ASSERT_TRUE(WriteFile(path, kCache).ok());
  ASSERT_TRUE(RecordedSpace::Read(path).ok());
  const auto compressed = RunSubprocess({.argv = {"gzip", "-k", path}}, "", 10'000);
  ASSERT_TRUE(compressed.ok() && compressed->exit.Success());
  const auto recorded = RecordedSpace::Read(path + ".gz");
  ASSERT_TRUE(recorded.ok()) << recorded.status();
  EXPECT_EQ((*recorded)->space().points().size(), 5u);

  const std::string bytes = ReadFile(path + ".gz").value();
  ASSERT_TRUE(WriteFile(path + ".gz", bytes.substr(0, bytes.size() / 2)).ok());
  const Status cut = RecordedSpace::Read(path + ".gz").status();
  EXPECT_EQ(cut.message(), path + ".gz: damaged gzip data");
  EXPECT_EQ(RecordedSpace::Read(path + ".missing").status().code(), absl::StatusCode::kNotFound);
}

TEST(RecordedSpace, SaysWhatIsWrong) {
  const auto error = [](const char* json) { return std::string(RecordedSpace::Parse(json, "f").status().message()); };
  EXPECT_EQ(error("{"), "f: not a JSON object: a cache file of Kernel Tuner is");
  EXPECT_EQ(error("{}"), "f: \"tune_params\" is missing, or not an object with members");
  EXPECT_EQ(error(R"({"tune_params": {"X": [1]}, "cache": []})"),
            "f: \"cache\" is missing, or not an object with members");
  EXPECT_EQ(error(R"({"tune_params": {"X": [1]}, "tune_params_keys": ["Y"], "cache": {"1": {}}})"),
            "f: \"tune_params\" lacks \"Y\" of \"tune_params_keys\"");
  EXPECT_EQ(error(R"({"tune_params": {"X": [1]}, "cache": {"1": {}}})"), "f: entry \"1\" of \"cache\" has no \"X\"");
  EXPECT_EQ(error(R"({"tune_params": {"X": [1]}, "cache": {"1": {"X": 1}, "2": {"X": 2}}})"),
            "f: \"tune_params\": X lacks the value 2 of an entry of \"cache\"");
  EXPECT_EQ(error(R"({"tune_params": {"X": [1, 2]}, "cache": {"1": {"X": 1}, "2": {"X": 2}}})"),
            "f: every entry of \"cache\" failed");
  EXPECT_EQ(error(R"({"tune_params": {"X": [1, 2]}, "cache": {"1": {"X": 1, "time": 1}}})"),
            "f: all entries of \"cache\" have the same parameters");
  EXPECT_EQ(error(R"({"tune_params": {"X": [1, 2]}, "cache": {"1": {"X": 1, "time": 1e-60}, "2": {"X": 2}}})"),
            "f: every entry of \"cache\" failed");
  const std::string deep = std::string(300'000, '[') + std::string(300'000, ']');
  EXPECT_EQ(error(("{\"cache\": " + deep + "}").c_str()).find("f: JSON nested more than 100 deep"), 0u);
  EXPECT_EQ(error(R"({"tune_params": {"X": [1, 2]}, "cache": {"1": {"X": 1, "time": 1}, "2": {"X": 2, "time": 1},
                      "3": {"X": 2, "time": 1}}})"),
            "f: entry \"3\" of \"cache\" is there twice");
}

}  // namespace
}  // namespace tilth
