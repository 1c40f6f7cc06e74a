// `tilth model` as a process.
#include "base/files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/support/tilth_program.h"

namespace tilth {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

class ModelCommandTest : public ::testing::Test {
 protected:
  TempDir directory_ = TempDir::Create("model").value();
};

TEST_F(ModelCommandTest, ListsTheModelThatShips) {
  const ProgramResult result = RunTilth({"model", "list", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const Json list = Json::parse(result.out);
  ASSERT_EQ(list.size(), 1u);
  EXPECT_GE(list[0].at("records"), 20'000);
  EXPECT_FALSE(list[0].contains("error"));
}

TEST_F(ModelCommandTest, ListsWhatIsWrongWithAFile) {
  ASSERT_TRUE(WriteFile(directory_.File("bad.model"), "{\"tilth_model\":7}").ok());
  ASSERT_TRUE(WriteFile(directory_.File("notes.txt"), "not meant to be a model").ok());
  const ProgramResult result = RunTilth({"model", "list", directory_.path()});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.out, HasSubstr("bad.model: cannot be used"));
  EXPECT_THAT(result.out, Not(HasSubstr("notes.txt")));
}

TEST_F(ModelCommandTest, SaysWhichLogItCannotTrainOn) {
  const std::string log = directory_.File("missing.db");
  const ProgramResult result = RunTilth({"model", "train", log, "-o", directory_.File("x.model")});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr(log));
  EXPECT_FALSE(FileExists(directory_.File("x.model")));
}

TEST_F(ModelCommandTest, RefusesASplitThatThereIsNot) {
  const ProgramResult result = RunTilth({"model", "eval", directory_.File("a.db"), "--split", "by-colour"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("by-task"));
}

}  // namespace
}  // namespace tilth
