// The line, and when to show it.
#include "tuner/progress.h"

#include <sys/ioctl.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "base/strings.h"
#include "tuner/summary.h"

namespace tilth {
namespace {

constexpr int64_t kTerminalPeriodNs = 200'000'000;
constexpr int64_t kPlainPeriodNs = 10'000'000'000;
constexpr size_t kMostColumns = 120;

std::string FormatDuration(double seconds) {
  const auto whole = static_cast<int64_t>(std::max(0.0, seconds) + 0.5);
  if (whole >= 3600) return absl::StrFormat("%d:%02d:%02d", whole / 3600, whole / 60 % 60, whole % 60);
  return absl::StrFormat("%d:%02d", whole / 60, whole % 60);
}

std::string Counts(const ProgressSnapshot& snapshot, double rate) {
  std::string text =
      absl::StrFormat("%s %d/%d tasks, %d", snapshot.phase, snapshot.tasks_settled, snapshot.tasks, snapshot.trials);
  if (snapshot.trials_wanted > 0) StrAppend(&text, "/", snapshot.trials_wanted);
  text += " trials";
  if (rate > 0) text += absl::StrFormat(" (%.1f/s)", rate);
  return text;
}

// Negative: nobody knows.
double SecondsLeft(const ProgressSnapshot& snapshot, double rate) {
  const bool counted = rate > 0 && snapshot.trials_wanted > 0;
  const double trials_left_s = counted ? (snapshot.trials_wanted - snapshot.trials) / rate : -1;
  if (snapshot.time_budget_s <= 0) return trials_left_s;
  const double budget_left_s = snapshot.time_budget_s - snapshot.elapsed_s;
  return counted ? std::min(trials_left_s, budget_left_s) : budget_left_s;
}

// What fits into one line of the terminal.
size_t ColumnsOf(std::FILE* out) {
  winsize size{};
  const bool known = ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
  return known ? std::min<size_t>(size.ws_col - 1u, kMostColumns) : kMostColumns;
}

}  // namespace

std::string ProgressLine(const ProgressSnapshot& snapshot, size_t columns) {
  // The least important first: what does not fit is left out in this order.
  enum Importance { kKindsOfFailure, kSplit, kFailures, kBusy, kAlways };
  std::vector<std::pair<Importance, std::string>> parts;
  const int fresh = snapshot.trials - snapshot.trials_before;
  const double rate = snapshot.elapsed_s > 0 ? fresh / snapshot.elapsed_s : 0;
  parts.emplace_back(kAlways, Counts(snapshot, rate));
  if (snapshot.busy_fraction > 0) {
    parts.emplace_back(kBusy, absl::StrFormat(", busy %.0f%%", 100 * snapshot.busy_fraction));
    const auto percent = [&snapshot](double seconds) { return 100 * seconds / snapshot.elapsed_s; };
    parts.emplace_back(kSplit, absl::StrFormat(", search %.0f%% build %.0f%% learn %.0f%%", percent(snapshot.search_s),
                                               percent(snapshot.build_s), percent(snapshot.learn_s)));
  }
  if (snapshot.best_ns > 0) {
    parts.emplace_back(kAlways, StrCat(", ", FormatTime(snapshot.default_ns), " -> ", FormatTime(snapshot.best_ns)));
  }
  int failed = 0;
  std::string kinds;
  for (const auto& [kind, count] : snapshot.failures) {
    failed += count;
    StrAppend(&kinds, kinds.empty() ? "" : ", ", count, " ", kind);
  }
  if (failed > 0) {
    parts.emplace_back(kFailures, StrCat(", ", failed, " failed"));
    parts.emplace_back(kKindsOfFailure, StrCat(" (", kinds, ")"));
  }
  if (const double left_s = SecondsLeft(snapshot, rate); left_s >= 0) {
    parts.emplace_back(kAlways, StrCat(", ", FormatDuration(left_s), " left"));
  }
  std::string line;
  for (int least = kKindsOfFailure; least <= kAlways; ++least) {
    line.clear();
    for (const auto& [importance, text] : parts) {
      if (importance >= least) line += text;
    }
    if (line.size() <= columns) break;
  }
  return line.substr(0, columns);
}

Progress::Progress(std::FILE* out, bool terminal, const Clock& clock) : out_(out), terminal_(terminal), clock_(clock) {}

Progress::~Progress() { ClearLine(); }

void Progress::ClearLine() {
  if (!line_open_) return;
  std::fputs("\r\033[K", out_);
  std::fflush(out_);
  line_open_ = false;
}

bool Progress::Due() const {
  return !shown_ || clock_.NowNs() - last_ns_ >= (terminal_ ? kTerminalPeriodNs : kPlainPeriodNs);
}

void Progress::Update(const ProgressSnapshot& snapshot) {
  if (!Due()) return;
  shown_ = true;
  last_ns_ = clock_.NowNs();
  const std::string line = ProgressLine(snapshot, ColumnsOf(out_));
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
