#include "search_space/parameter_space.h"

#include <gtest/gtest.h>

#include <set>

namespace tilth {
namespace {

constexpr char kSpace[] = R"({"name": "tiles",
  "parameters": {"X": [1, 2, 4, 8, 16], "Y": [1, 2, 4, 8], "LAYOUT": ["row", "column"], "FAST": [false, true]},
  "constraints": ["X * Y <= 32", "FAST == 0 or X >= 4"],
  "command": ["./run"]})";

std::unique_ptr<ParameterSpace> Space(std::string_view json = kSpace) {
  auto space = ParameterSpace::FromJson(json);
  EXPECT_TRUE(space.ok()) << space.status();
  return std::move(space).value();
}

TEST(ParameterSpace, ListsWhatTheConstraintsAllow) {
  const auto space = Space();
  int expected = 0;
  for (int x : {1, 2, 4, 8, 16})
    for (int y : {1, 2, 4, 8})
      for (int fast : {0, 1}) expected += x * y <= 32 && (fast == 0 || x >= 4) ? 2 : 0;
  EXPECT_EQ(space->points().size(), static_cast<size_t>(expected));
  EXPECT_EQ(space->Enumerate(1000), space->points());
  EXPECT_TRUE(space->Enumerate(10).empty());
  EXPECT_EQ(std::set<Candidate>(space->points().begin(), space->points().end()).size(), space->points().size());
  for (const Candidate& point : space->points()) EXPECT_TRUE(space->IsAllowed(point));
  EXPECT_TRUE(space->IsAllowed(space->Defaults().front()));
}

TEST(ParameterSpace, WritesAndReadsItsPoints) {
  const auto space = Space();
  for (const Candidate& point : space->points()) {
    const auto again = space->FromJsonValues(space->ToJson(point));
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(*again, point);
  }
  EXPECT_EQ(space->ToJson(space->points().front()), R"({"X":"1","Y":"1","LAYOUT":"row","FAST":"0"})");
  for (const char* wrong :
       {"[]", "{}", R"({"X":"1","Y":"1","LAYOUT":"row","SLOW":"0"})", R"({"X":"3","Y":"1","LAYOUT":"row","FAST":"0"})",
        R"({"X":"1","Y":"1","LAYOUT":"row","FAST":"1"})", R"({"X":1,"Y":"1","LAYOUT":"row","FAST":"1"})"}) {
    EXPECT_EQ(space->FromJsonValues(wrong).status().code(), absl::StatusCode::kNotFound) << wrong;
  }
}

TEST(ParameterSpace, DrawsFromSpacesTooLargeToList) {
  std::string values;
  for (int i = 1; i <= 100; ++i) values += (i > 1 ? "," : "") + std::to_string(i);
  const auto space = Space(R"({"parameters": {"A": [)" + values + R"(], "B": [)" + values + R"(], "C": [)" + values +
                           R"(], "D": [)" + values + R"(]}, "constraints": ["A % B == 0", "C > A"]})");
  EXPECT_TRUE(space->points().empty());
  EXPECT_TRUE(space->Enumerate(1'000'000'000).empty());
  Rng rng(1);
  std::set<Candidate> drawn;
  for (int i = 0; i < 200; ++i) {
    drawn.insert(space->Random(rng));
    EXPECT_TRUE(space->IsAllowed(space->Random(rng)));
  }
  EXPECT_GT(drawn.size(), 190u);
}

TEST(ParameterSpace, SaysWhatIsWrong) {
  const auto error = [](const char* json) { return std::string(ParameterSpace::FromJson(json).status().message()); };
  EXPECT_EQ(error("["), "not a JSON object");
  EXPECT_EQ(error("{}"), "it has no \"parameters\"");
  EXPECT_EQ(error(R"({"parameters": []})"), R"("parameters" must be an object such as {"BLOCK_X": [16, 32, 64]})");
  EXPECT_EQ(error(R"({"parameters": {"X": 1}})"), "parameter X: give a list of values");
  EXPECT_EQ(error(R"({"parameters": {"X": []}})"), "parameter X has 0 values; give 1 to 65535");
  EXPECT_EQ(error(R"({"parameters": {"X": [[1]]}})"), "parameter X: a value is [1]; give numbers, texts or booleans");
  EXPECT_EQ(error(R"({"parameters": {"X": [1, 1]}})"), "parameter X has the value 1 twice");
  EXPECT_EQ(error(R"({"parameters": {"X": [1]}, "constraints": "X"})"), "\"constraints\" must be a list of texts");
  EXPECT_EQ(error(R"({"parameters": {"X": [1, 2]}, "constraints": ["X > 2"]})"),
            "no combination of values satisfies the constraints");
  EXPECT_EQ(error(R"({"parameters": {"X": ["a"]}, "constraints": ["X > 2"]})"),
            "constraint \"X > 2\", at character 1: there is no parameter 'X' with integer values");
}

}  // namespace
}  // namespace tilth
