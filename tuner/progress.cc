// The line, and when to show it.
#include "tuner/progress.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "base/strings.h"
#include "tuner/summary.h"

namespace tilth {
namespace {

constexpr int64_t kTerminalPeriodNs = 200'000'000;
constexpr int64_t kPlainPeriodNs = 10'000'000'000;

std::string FormatDuration(double seconds) {
  const auto whole = static_cast<int64_t>(std::max(0.0, seconds) + 0.5);
  if (whole >= 3600) return absl::StrFormat("%d:%02d:%02d", whole / 3600, whole / 60 % 60, whole % 60);
  return absl::StrFormat("%d:%02d", whole / 60, whole % 60);
}

}  // namespace

std::string ProgressLine(const ProgressSnapshot& snapshot) {
  std::string line = absl::StrFormat("%s %d/%d tasks, %d/%d trials", snapshot.phase, snapshot.tasks_settled,
                                     snapshot.tasks, snapshot.trials, snapshot.trials_wanted);
  const int fresh = snapshot.trials - snapshot.trials_before;
  const double rate = snapshot.elapsed_s > 0 ? fresh / snapshot.elapsed_s : 0;
  if (rate > 0) line += absl::StrFormat(" (%.1f/s)", rate);
  if (snapshot.best_ns > 0) {
    StrAppend(&line, ", ", FormatTime(snapshot.default_ns), " -> ", FormatTime(snapshot.best_ns));
  }
  int failed = 0;
  std::string kinds;
  for (const auto& [kind, count] : snapshot.failures) {
    failed += count;
    StrAppend(&kinds, kinds.empty() ? "" : ", ", count, " ", kind);
  }
  if (failed > 0) StrAppend(&line, ", ", failed, " failed (", kinds, ")");
  double left_s = rate > 0 ? (snapshot.trials_wanted - snapshot.trials) / rate : -1;
  if (snapshot.time_budget_s > 0) {
    const double budget_left_s = snapshot.time_budget_s - snapshot.elapsed_s;
    left_s = left_s < 0 ? budget_left_s : std::min(left_s, budget_left_s);
  }
  if (left_s >= 0) StrAppend(&line, ", ", FormatDuration(left_s), " left");
  return line;
}

Progress::Progress(std::FILE* out, bool terminal, const Clock& clock) : out_(out), terminal_(terminal), clock_(clock) {}

Progress::~Progress() { ClearLine(); }

void Progress::ClearLine() {
  if (!line_open_) return;
  std::fputs("\r\033[K", out_);
  std::fflush(out_);
  line_open_ = false;
}

void Progress::Update(const ProgressSnapshot& snapshot) {
  const int64_t now_ns = clock_.NowNs();
  if (shown_ && now_ns - last_ns_ < (terminal_ ? kTerminalPeriodNs : kPlainPeriodNs)) return;
  shown_ = true;
  last_ns_ = now_ns;
  const std::string line = ProgressLine(snapshot);
  if (terminal_) {
    std::fprintf(out_, "\r\033[K%s", line.c_str());
    line_open_ = true;
  } else {
    std::fprintf(out_, "%s\n", line.c_str());
  }
  std::fflush(out_);
}

void Progress::Note(const std::string& line) {
  ClearLine();
  std::fprintf(out_, "%s\n", line.c_str());
  std::fflush(out_);
}

}  // namespace tilth
