// Runs the built `tilth` through base/subprocess.
#include "tests/support/tilth_program.h"

#include <gtest/gtest.h>

namespace tilth {

ProgramResult RunTilth(const std::vector<std::string>& arguments, const ResourceLimits& limits) {
  SubprocessOptions options;
  options.limits = limits;
  options.argv = {TILTH_BINARY_DIR "/bin/tilth"};
  options.argv.insert(options.argv.end(), arguments.begin(), arguments.end());
  options.stdout_to = ChildStream::kCapture;
  options.stderr_to = ChildStream::kCapture;
  const auto output = RunSubprocess(std::move(options), "", /*timeout_ms=*/120'000);
  EXPECT_TRUE(output.ok()) << output.status();
  if (!output.ok()) return {};
  EXPECT_FALSE(output->exit.signalled) << output->exit.Describe() << "\n" << output->stderr_text;
  const int code = output->exit.signalled || output->exit.deadline_passed ? -1 : output->exit.code;
  return {code, output->stdout_text, output->stderr_text};
}

}  // namespace tilth
