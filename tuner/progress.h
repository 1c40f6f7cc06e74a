// Live progress of a tuning session on stderr: one status line on a terminal, a plain line now and then elsewhere.
#pragma once

#include <cstdint>
#include <cstdio>
#include <map>
#include <string>

#include "base/clock.h"

namespace tilth {

struct ProgressSnapshot {
  std::string phase;  // "tuning", "comparing the best"
  int tasks = 0, tasks_settled = 0;
  int trials = 0, trials_wanted = 0;    // wanted 0: any number
  int trials_before = 0;                // of earlier sessions: they say nothing about today's pace
  double default_ns = 0, best_ns = 0;   // of the model
  std::map<std::string, int> failures;  // by kind
  double elapsed_s = 0;
  double time_budget_s = 0;                       // 0: none
  double busy_fraction = 0;                       // of the device
  double search_s = 0, build_s = 0, learn_s = 0;  // of elapsed_s; builds may overlap
};

// One line without a newline, of at most `columns` characters; what matters least is left out first:
// "tuning 12/31 tasks, 240/600 trials (41/s), busy 96%, search 4% build 60% learn 3%, 41.2 ms -> 22.5 ms, 3 failed
// (3 run crash), 0:37 left".
std::string ProgressLine(const ProgressSnapshot& snapshot, size_t columns = 120);

// Not thread-safe.
class Progress {
 public:
  // `clock` outlives it. `terminal` says whether `out` can rewrite its line.
  Progress(std::FILE* out, bool terminal, const Clock& clock = SystemClock());
  ~Progress();  // clears an unfinished line

  // Whether the last snapshot is old enough for another.
  bool Due() const;
  // Shows the snapshot if one is due.
  void Update(const ProgressSnapshot& snapshot);
  // A line that stays.
  void Note(const std::string& line);

 private:
  void ClearLine();

  std::FILE* const out_;
  const bool terminal_;
  const Clock& clock_;
  bool line_open_ = false;
  bool shown_ = false;
  int64_t last_ns_ = 0;
};

}  // namespace tilth
