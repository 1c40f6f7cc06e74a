#include "search_space/constraint.h"

#include <gtest/gtest.h>

namespace tilth {
namespace {

const std::vector<std::string> kNames = {"a", "b", "not_used", "order"};

bool Holds(const std::string& text, std::vector<int64_t> values = {6, 4, 1, 2}) {
  const auto constraint = Constraint::Parse(text, kNames);
  EXPECT_TRUE(constraint.ok()) << constraint.status();
  return constraint.ok() && constraint->Holds(values);
}

TEST(Constraint, FollowsThePrecedenceOfPython) {
  EXPECT_TRUE(Holds("a + b * 2 == 14"));
  EXPECT_TRUE(Holds("(a + b) * 2 == 20"));
  EXPECT_TRUE(Holds("a - b - 1 == 1"));
  EXPECT_TRUE(Holds("not a == 4 and b == 4"));
  EXPECT_TRUE(Holds("a == 6 or b == 5 and a == 0"));
  EXPECT_FALSE(Holds("!(a == 6 || b == 5) && b == 4"));
  EXPECT_TRUE(Holds("1 < b < a <= 6"));
  EXPECT_FALSE(Holds("1 < b < a < 6"));
  EXPECT_TRUE(Holds("a % b == 2 and -a % b == 2 and a // b == 1 and -a / b == -2"));
  EXPECT_TRUE(Holds("--a==6"));
  EXPECT_TRUE(Holds("order == 2"));  // begins like a word of the language
  EXPECT_TRUE(Holds("a"));
  EXPECT_FALSE(Holds("a - 6"));
}

TEST(Constraint, DoesNotHoldWhereItHasNoValue) {
  EXPECT_FALSE(Holds("a / (b - 4) == 0"));
  EXPECT_FALSE(Holds("not a % 0"));
  EXPECT_FALSE(Holds("a * 9223372036854775807 != 0"));
  EXPECT_TRUE(Holds("b == 4 or a / 0"));  // the right side is not asked
}

TEST(Constraint, TellsWhatItUses) {
  const auto constraint = Constraint::Parse("order < a and a > 2", kNames);
  ASSERT_TRUE(constraint.ok());
  EXPECT_EQ(constraint->uses(), (std::vector<int>{0, 3}));
}

TEST(Constraint, SaysWhereItIsWrong) {
  const auto error = [](const std::string& text) {
    return std::string(Constraint::Parse(text, kNames).status().message());
  };
  EXPECT_EQ(error("a + c < 3"),
            "constraint \"a + c < 3\", at character 5: there is no parameter 'c' with integer values");
  EXPECT_EQ(error("a +"), "constraint \"a +\", at character 4: it ends too early");
  EXPECT_EQ(error("(a < 3"), "constraint \"(a < 3\", at character 7: expected ')'");
  EXPECT_EQ(error("a < 3 b"), "constraint \"a < 3 b\", at character 7: expected an operator");
  EXPECT_EQ(error("a < 3x"), "constraint \"a < 3x\", at character 5: '3x' is not an integer");
  EXPECT_EQ(error("a & b"), "constraint \"a & b\", at character 3: expected an operator");
  EXPECT_EQ(error(""), "constraint \"\", at character 1: it ends too early");
  EXPECT_NE(error(std::string(100'000, '(')).find("nested too deeply"), std::string::npos);
  EXPECT_NE(error(std::string(100'000, '-') + "a").find("nested too deeply"), std::string::npos);
  EXPECT_NE(error(std::string(100'000, '!') + "a").find("nested too deeply"), std::string::npos);
  std::string sum = "a", chain = "a", either = "a";
  for (int i = 0; i < 1'000'000; ++i) {
    sum += "+1";
    chain += "<5";
    either += " or a";
  }
  for (const std::string& text : {sum, chain, either}) {
    EXPECT_NE(error(text).find("too long"), std::string::npos);
    EXPECT_LT(error(text).size(), 1100u);
  }
}

}  // namespace
}  // namespace tilth
