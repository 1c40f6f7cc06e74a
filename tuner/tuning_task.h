// TuningTask: one distinct kernel of the model and everything known about its candidates.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "db/tuning_log.h"
#include "proto/measure.h"
#include "search_space/space.h"
#include "tuner/search_policy.h"

namespace tilth {

// Why a candidate was measured, as records store it; kOriginFinal of the log is another.
inline constexpr char kOriginDefault[] = "default";
inline constexpr char kOriginDuplicate[] = "duplicate";  // not measured: its machine code had been

// Not thread-safe, except that `space` may be read by anyone.
class TuningTask {
 public:
  TuningTask(std::shared_ptr<const SearchSpace> space, int weight);

  const SearchSpace& space() const { return *space_; }
  std::shared_ptr<const SearchSpace> shared_space() const { return space_; }
  const std::string& name() const { return space_->workload().name; }
  const std::string& workload_hash() const { return workload_hash_; }
  int weight() const { return weight_; }
  double flops() const { return flops_; }

  // A measured candidate. `median_ns` 0: failed with `error`. Measuring one again replaces its time.
  // `own` tells that the trial belongs to this model (another model in the log may share the kernel).
  void AddResult(const Candidate& candidate, const std::string& origin, double median_ns, MeasureErrorKind error,
                 bool own);

  // Measured, in order of the first time.
  const std::vector<MeasuredCandidate>& measured() const { return measured_; }
  // Measured or being measured.
  const TakenCandidates& taken() const { return taken_; }
  void Take(const Candidate& candidate) { taken_.Insert(*space_, candidate); }
  void Release(const Candidate& candidate) { taken_.Erase(*space_, candidate); }

  // The best k, best first, as the log orders them (TuningLog::BestRecords): those compared with each other, or
  // measured since, come first. Candidates that were ever wrong, and duplicates of others, are not among them.
  std::vector<MeasuredCandidate> Best(int k) const;
  double best_ns() const;     // 0: none
  double default_ns() const;  // 0: not measured, or failed
  // The last measurement was a final one: nothing has changed since the best were compared.
  bool finalised() const { return finalised_; }

  int trials() const { return trials_; }  // of this model, duplicates and finals not counted
  const std::map<MeasureErrorKind, int>& failures() const { return failures_; }
  int num_failures() const;

 private:
  std::shared_ptr<const SearchSpace> space_;
  std::string workload_hash_;
  int weight_ = 1;
  double flops_ = 0;
  std::vector<MeasuredCandidate> measured_;
  absl::flat_hash_map<Candidate, size_t, CandidateHash> position_;  // in measured_
  TakenCandidates taken_;
  struct LastTime {
    int number = 0;  // of the result
    bool compared = false;
  };
  std::vector<LastTime> last_times_;  // by position in measured_
  int results_ = 0;
  int last_comparison_ = 0;   // the number of the last result of one
  CandidateSet passed_over_;  // wrong once, or the same machine code as another
  int trials_ = 0;
  bool finalised_ = false;
  std::map<MeasureErrorKind, int> failures_;
};

}  // namespace tilth
