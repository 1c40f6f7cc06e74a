// SearchSpace: every schedule of one workload on one target that we know how to generate.
//
// A space has a few sketches; a sketch has knobs; every combination of rows is a valid candidate by construction
// (limits such as the register file are built into the tables). Immutable after Create and safe to share between
// threads.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "ir/target.h"
#include "ir/workload.h"
#include "search_space/candidate.h"
#include "search_space/knob_space.h"
#include "search_space/loop_nest.h"

namespace tilth {

// Raised when a knob or its meaning changes; part of every tuning record.
inline constexpr int kSpaceVersion = 2;

// The structure with holes that one rule (search_space/rules) found to fit a workload.
class Sketch {
 public:
  virtual ~Sketch() = default;
  const std::string& name() const { return name_; }
  const std::vector<Knob>& knobs() const { return knobs_; }
  // The loops, buffers and sketch-specific choices that rows of this sketch mean.
  virtual LoopNest Resolve(const Candidate& candidate) const = 0;
  // A sensible choice of rows without any measurement; SearchSpace::Defaults adds which sketch it belongs to.
  virtual Candidate Default() const = 0;
  // The fewest floating-point operations that any of its candidates performs (LoopNest::flops).
  virtual double LeastFlops() const { return Resolve(Default()).flops; }

 protected:
  // The option of knob `knob` chosen by `candidate`.
  const std::vector<int64_t>& Option(const Candidate& candidate, int knob) const {
    return knobs_[knob].options[candidate.rows[knob]];
  }
  std::string name_;
  std::vector<Knob> knobs_;
};

class SearchSpace : public KnobSpace {
 public:
  // An error names what about the workload no rule can handle.
  static StatusOr<std::unique_ptr<SearchSpace>> Create(Workload workload, Target target);

  const Workload& workload() const { return workload_; }
  const Target& target() const { return target_; }
  const std::vector<std::unique_ptr<Sketch>>& sketches() const { return sketches_; }

  int num_sketches() const override { return static_cast<int>(sketches_.size()); }
  const std::vector<Knob>& knobs(int sketch) const override { return sketches_[static_cast<size_t>(sketch)]->knobs(); }
  // The ScheduleKey of what the candidate resolves to.
  uint64_t KeyOf(const Candidate& candidate) const override;
  std::string name() const override { return workload_.name; }

  // The fewest floating-point operations of any candidate; no device can run one faster than its peak allows for them.
  double LeastFlops() const;

  // What an untuned build uses: the default of the first sketch.
  Candidate Default() const;
  // The default of every sketch.
  std::vector<Candidate> Defaults() const override;

  LoopNest Resolve(const Candidate& candidate) const { return sketches_[candidate.sketch]->Resolve(candidate); }

  Decisions ToDecisions(const Candidate& candidate) const;
  // NOT_FOUND when the decisions do not fit this space any more: the record is stale; the message says which knob.
  StatusOr<Candidate> FromDecisions(const Decisions& decisions) const;

 private:
  SearchSpace(Workload workload, Target target) : workload_(std::move(workload)), target_(std::move(target)) {}
  Workload workload_;
  Target target_;
  std::vector<std::unique_ptr<Sketch>> sketches_;
};

// {"sketch":"contraction","tile.register":[1,12,2],…} and back.
std::string ToJson(const Decisions& decisions);
StatusOr<Decisions> DecisionsFromJson(std::string_view json);

}  // namespace tilth
