// The program as a whole: version, help and the exit code of bad usage.
#include <gmock/gmock.h>

#include "base/version.h"
#include "tests/support/tilth_program.h"

namespace tilth {
namespace {

using ::testing::HasSubstr;

TEST(TilthProgram, VersionIsThatOfTheBuild) {
  const ProgramResult result = RunTilth({"--version"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.out, HasSubstr(std::string(kVersion)));
}

TEST(TilthProgram, EveryCommandHasHelpWithAnExample) {
  const ProgramResult all = RunTilth({"--help"});
  EXPECT_EQ(all.exit_code, 0);
  const std::string list = all.out.substr(all.out.find("Subcommands:"));
  int commands = 0;
  for (size_t at = list.find("\n  "); at != std::string::npos; at = list.find("\n  ", at + 1)) {
    const std::string name = list.substr(at + 3, list.find_first_of(" \n", at + 3) - at - 3);
    if (name.empty() || name == "tilth") continue;
    const ProgramResult help = RunTilth({name, "--help"});
    EXPECT_EQ(help.exit_code, 0) << name;
    EXPECT_THAT(help.out, HasSubstr("Example")) << name;
    ++commands;
  }
  EXPECT_GE(commands, 1) << all.out;
}

TEST(TilthProgram, BadUsageExitsWithTwoAndPointsToHelp) {
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {}, {"--no-such-option"}, {"log"}, {"log", "stats"}, {"log", "frobnicate"}}) {
    const ProgramResult result = RunTilth(arguments);
    EXPECT_EQ(result.exit_code, 2) << testing::PrintToString(arguments);
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, HasSubstr("error: "));
    EXPECT_THAT(result.err, HasSubstr("--help"));
  }
}

TEST(TilthProgram, UnknownCommandNamesTheNearest) {
  const ProgramResult result = RunTilth({"lgo"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("there is no command 'lgo'"));
  EXPECT_THAT(result.err, HasSubstr("Did you mean 'log'?"));
}

}  // namespace
}  // namespace tilth
