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
  int trials = 0, trials_wanted = 0;
  int trials_before = 0;                // of earlier sessions: they say nothing about today's pace
  double default_ns = 0, best_ns = 0;   // of the model
  std::map<std::string, int> failures;  // by kind
  double elapsed_s = 0;
  double time_budget_s = 0;  // 0: none
};

// One line without a newline: "tuning 12/31 tasks, 240/600 trials (9.8/s), 41.2 -> 22.5 ms, 3 failed (…), 0:37 left".
std::string ProgressLine(const ProgressSnapshot& snapshot);

// Not thread-safe.
class Progress {
 public:
  // `clock` outlives it. `terminal` says whether `out` can rewrite its line.
  Progress(std::FILE* out, bool terminal, const Clock& clock = SystemClock());
  ~Progress();  // clears an unfinished line

  // Shows the snapshot if the last one is old enough.
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
