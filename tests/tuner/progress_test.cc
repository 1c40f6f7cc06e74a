#include "tuner/progress.h"

#include <cstdio>
#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tilth {
namespace {

using testing::HasSubstr;
using testing::Not;

ProgressSnapshot Snapshot() {
  ProgressSnapshot snapshot;
  snapshot.phase = "tuning";
  snapshot.tasks = 31;
  snapshot.tasks_settled = 12;
  snapshot.trials = 240;
  snapshot.trials_wanted = 600;
  snapshot.trials_before = 140;
  snapshot.default_ns = 41.2e6;
  snapshot.best_ns = 22.5e6;
  snapshot.elapsed_s = 10;
  return snapshot;
}

// What Progress writes into a temporary file.
class Output {
 public:
  std::FILE* file() { return file_.get(); }
  std::string Text() {
    std::string text(static_cast<size_t>(std::ftell(file_.get())), '\0');
    std::rewind(file_.get());
    EXPECT_EQ(std::fread(text.data(), 1, text.size(), file_.get()), text.size());
    return text;
  }

 private:
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_{std::tmpfile(), &std::fclose};
};

TEST(ProgressLine, TellsPaceAndTimeLeftOfThisSessionOnly) {
  const std::string line = ProgressLine(Snapshot());
  EXPECT_THAT(line, HasSubstr("12/31 tasks, 240/600 trials (10.0/s)"));
  EXPECT_THAT(line, HasSubstr("41.2 ms -> 22.5 ms"));
  EXPECT_THAT(line, HasSubstr("0:36 left"));
}

TEST(ProgressLine, TellsFailuresByKind) {
  ProgressSnapshot snapshot = Snapshot();
  snapshot.failures = {{"run crash", 2}, {"compile", 1}};
  EXPECT_THAT(ProgressLine(snapshot), HasSubstr("3 failed (1 compile, 2 run crash)"));
}

TEST(ProgressLine, TimeBudgetMayEndSooner) {
  ProgressSnapshot snapshot = Snapshot();
  snapshot.time_budget_s = 15;
  EXPECT_THAT(ProgressLine(snapshot), HasSubstr("0:05 left"));
}

TEST(ProgressLine, SaysNothingItDoesNotKnow) {
  ProgressSnapshot snapshot;
  snapshot.phase = "tuning";
  EXPECT_EQ(ProgressLine(snapshot), "tuning 0/0 tasks, 0 trials");
}

TEST(ProgressLine, TellsHowTheTimeIsSplit) {
  ProgressSnapshot snapshot = Snapshot();
  snapshot.busy_fraction = 0.962;
  snapshot.search_s = 0.4;
  snapshot.build_s = 6;
  snapshot.learn_s = 0.3;
  EXPECT_THAT(ProgressLine(snapshot), HasSubstr("busy 96%, search 4% build 60% learn 3%"));
}

TEST(ProgressLine, LeavesOutWhatMattersLeastUntilItFits) {
  ProgressSnapshot snapshot = Snapshot();
  snapshot.busy_fraction = 0.96;
  snapshot.failures = {{"compile", 2}, {"run crash", 1}, {"wrong answer", 4}};
  const std::string line = ProgressLine(snapshot, 120);
  EXPECT_LE(line.size(), 120u);
  EXPECT_THAT(line, testing::AllOf(HasSubstr("7 failed"), Not(HasSubstr("run crash")), HasSubstr("left")));
  const std::string narrow = ProgressLine(snapshot, 80);
  EXPECT_LE(narrow.size(), 80u);
  EXPECT_THAT(narrow, testing::AllOf(HasSubstr("240/600"), HasSubstr("22.5 ms"), HasSubstr("left")));
  EXPECT_THAT(narrow, Not(HasSubstr("failed")));
}

TEST(ProgressLine, UnlimitedTrialsHaveNoTotal) {
  ProgressSnapshot snapshot = Snapshot();
  snapshot.trials_wanted = 0;
  EXPECT_THAT(ProgressLine(snapshot), testing::AllOf(HasSubstr(" 240 trials"), Not(HasSubstr("left"))));
}

TEST(Progress, PlainLinesAreRare) {
  FakeClock clock;
  Output output;
  Progress progress(output.file(), /*terminal=*/false, clock);
  for (int i = 0; i < 30; ++i) {
    progress.Update(Snapshot());
    clock.AdvanceMs(1000);
  }
  const std::string text = output.Text();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3);
  EXPECT_THAT(text, Not(HasSubstr("\033")));
}

TEST(Progress, TerminalRewritesItsLine) {
  FakeClock clock;
  Output output;
  {
    Progress progress(output.file(), /*terminal=*/true, clock);
    progress.Update(Snapshot());
    clock.AdvanceMs(500);
    progress.Update(Snapshot());
  }
  const std::string text = output.Text();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 0);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\r'), 3);  // two updates, and the end clears the line
}

}  // namespace
}  // namespace tilth
