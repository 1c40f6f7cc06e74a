// What users are told when a model, a target, a log, an output or a runner is no good: one test per cause.
#include <gmock/gmock.h>

#include <filesystem>

#include "base/files.h"
#include "tests/db/log_fixture.h"
#include "tests/support/tilth_program.h"
#include "tests/support/tiny_onnx.h"

namespace tilth {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class ModelErrorTest : public LogFixture {
 protected:
  void SetUp() override {
    LogFixture::SetUp();
    Write("model.onnx", BiasReluModel({1, 2}));
  }

  void Write(const std::string& name, std::string_view bytes) { ASSERT_TRUE(WriteFile(Path(name), bytes).ok()); }

  std::string ErrorOf(const std::vector<std::string>& arguments) {
    const ProgramResult result = RunTilth(arguments);
    EXPECT_EQ(result.exit_code, 1) << result.out << result.err;
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, StartsWith("tilth " + arguments[0] + ": error: "));
    return result.err;
  }
  std::string BuildError(const std::string& model, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"build", Path(model), "-o", Path("out")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return ErrorOf(arguments);
  }
};

TEST_F(ModelErrorTest, MissingModel) { EXPECT_THAT(BuildError("none.onnx"), HasSubstr("none.onnx")); }

TEST_F(ModelErrorTest, GarbageModel) {
  Write("bad.onnx", "This is a shopping list, not a network.");
  EXPECT_THAT(BuildError("bad.onnx"), AllOf(HasSubstr("bad.onnx"), HasSubstr("ONNX")));
}

TEST_F(ModelErrorTest, EmptyModel) {
  Write("bad.onnx", "");
  EXPECT_THAT(BuildError("bad.onnx"), HasSubstr("bad.onnx"));
}

TEST_F(ModelErrorTest, ModelTruncatedAnywhere) {
  const std::string whole = BiasReluModel({1, 2});
  for (size_t length = 1; length < whole.size(); length += 13) {
    Write("cut.onnx", whole.substr(0, length));
    EXPECT_THAT(BuildError("cut.onnx"), HasSubstr("cut.onnx")) << "after " << length << " bytes";
  }
}

TEST_F(ModelErrorTest, UnsupportedOperator) {
  Write("bad.onnx", OneOperatorModel("NonZero", {{4, ""}}));
  EXPECT_THAT(BuildError("bad.onnx"),
              AllOf(HasSubstr("the_node"), HasSubstr("NonZero"), HasSubstr("13"), HasSubstr("Conv")));
}

TEST_F(ModelErrorTest, DynamicShapeWithoutAValue) {
  Write("dynamic.onnx", OneOperatorModel("Relu", {{0, "batch"}, {4, ""}}));
  EXPECT_THAT(BuildError("dynamic.onnx"), AllOf(HasSubstr("batch"), HasSubstr("--dim batch=")));
  EXPECT_EQ(RunTilth({"build", Path("dynamic.onnx"), "-o", Path("out"), "--dim", "batch=2"}).exit_code, 0);
}

TEST_F(ModelErrorTest, DimensionThatIsNone) {
  EXPECT_THAT(BuildError("model.onnx", {"--dim", "batch"}), HasSubstr("--dim batch=1"));
  EXPECT_THAT(BuildError("model.onnx", {"--dim", "batch=-1"}), HasSubstr("positive"));
}

TEST_F(ModelErrorTest, UnknownTargetListsWhatThereIs) {
  EXPECT_THAT(BuildError("model.onnx", {"--target", "z80"}), AllOf(HasSubstr("z80"), HasSubstr("rpi4")));
}

TEST_F(ModelErrorTest, NameThatIsNoIdentifier) {
  EXPECT_THAT(BuildError("model.onnx", {"--name", "../up"}), HasSubstr("C identifier"));
}

TEST_F(ModelErrorTest, MissingLog) {
  EXPECT_THAT(BuildError("model.onnx", {"--log", Path("none.db")}),
              AllOf(HasSubstr("none.db"), HasSubstr("no such file")));
}

TEST_F(ModelErrorTest, LogThatIsNotSqlite) {
  Write("bad.db", std::string(4096, 'x'));
  EXPECT_THAT(BuildError("model.onnx", {"--log", Path("bad.db")}), HasSubstr("not an SQLite database"));
}

TEST_F(ModelErrorTest, LogOfANewerSchema) {
  OpenFilledLog();
  ASSERT_TRUE((*sqlite::Database::Open(Path()))->SetUserVersion(42).ok());
  EXPECT_THAT(BuildError("model.onnx", {"--log", Path()}), HasSubstr("newer Tilth"));
}

TEST_F(ModelErrorTest, StrictBuildWithoutRecordsNamesTheKernels) {
  OpenFilledLog();
  EXPECT_THAT(BuildError("model.onnx", {"--log", Path(), "--strict"}), HasSubstr("tune the model"));
}

TEST_F(ModelErrorTest, OutputThatCannotBeWritten) {
  Write("file", "");
  EXPECT_THAT(ErrorOf({"build", Path("model.onnx"), "-o", Path("file/out")}), HasSubstr("file/out"));
}

TEST_F(ModelErrorTest, RunWithoutAPackage) {
  EXPECT_THAT(ErrorOf({"run", Path("nowhere")}), AllOf(HasSubstr("manifest.json"), HasSubstr("tilth build")));
}

class BuiltModelErrorTest : public ModelErrorTest {
 protected:
  void SetUp() override {
    ModelErrorTest::SetUp();
    ASSERT_EQ(RunTilth({"build", Path("model.onnx"), "-o", Path("out"), "--name", "tiny"}).exit_code, 0);
  }
};

TEST_F(BuiltModelErrorTest, RunnerThatIsNotThere) {
  EXPECT_THAT(ErrorOf({"run", Path("out"), "--runner", Path("no-runner")}),
              AllOf(HasSubstr("no-runner"), HasSubstr("--runner")));
}

TEST_F(BuiltModelErrorTest, RunnerThatIsSomethingElse) {
  EXPECT_THAT(ErrorOf({"run", Path("out"), "--runner", "/bin/true"}), HasSubstr("/bin/true"));
}

TEST_F(BuiltModelErrorTest, LibraryOfAnotherArchitecture) {
  ASSERT_EQ(RunTilth({"build", Path("model.onnx"), "-o", Path("out"), "--name", "tiny", "--target", "rpi4"}).exit_code,
            0);
  EXPECT_THAT(ErrorOf({"run", Path("out")}), HasSubstr("cannot be loaded"));
}

TEST_F(BuiltModelErrorTest, InputsThatDoNotFit) {
  Write("input.pb", FloatTensor("x", {3}, {1, 2, 3}));
  EXPECT_THAT(ErrorOf({"run", Path("out"), "--inputs", Path("input.pb")}), HasSubstr("input 0 (x) must be f32 [2]"));
  EXPECT_THAT(ErrorOf({"run", Path("out"), "--inputs", Path("input.pb") + "," + Path("input.pb")}),
              HasSubstr("1 inputs"));
  Write("input.pb", "not a tensor");
  EXPECT_THAT(ErrorOf({"run", Path("out"), "--inputs", Path("input.pb")}), HasSubstr("input.pb"));
}

TEST_F(BuiltModelErrorTest, DamagedLibrary) {
  Write("out/libtiny.so",
        "\x7f"
        "ELF");
  EXPECT_THAT(ErrorOf({"run", Path("out")}), HasSubstr("cannot be loaded"));
}

TEST_F(ModelErrorTest, CheckWithoutOutputs) {
  std::filesystem::create_directories(Path("test_data_set_0"));
  Write("test_data_set_0/input_0.pb", FloatTensor("x", {2}, {1, 2}));
  EXPECT_THAT(ErrorOf({"check", Path("")}), HasSubstr("test_data_set_0 has no output_0.pb"));
}

TEST_F(ModelErrorTest, CheckWithoutDataSets) {
  EXPECT_THAT(ErrorOf({"check", Path("")}), HasSubstr("no test_data_set_0"));
}

TEST_F(ModelErrorTest, BadUsageExitsWithTwo) {
  EXPECT_EQ(RunTilth({"build"}).exit_code, 2);
  EXPECT_EQ(RunTilth({"build", Path("model.onnx")}).exit_code, 2) << "-o is missing";
  EXPECT_EQ(RunTilth({"run", Path("out"), "--repeat", "0"}).exit_code, 2);
  EXPECT_EQ(RunTilth({"check", Path(""), "--rtol", "-1"}).exit_code, 2);
}

}  // namespace
}  // namespace tilth
