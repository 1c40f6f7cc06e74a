// KnobSpace: the combinatorial part of a space, sketches with tables of options and which combinations of rows are
// allowed. What search policies work on: kernels of models (space.h) and a kernel author's own parameters
// (parameter_space.h) are the same to them. Immutable and safe to share between threads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/rng.h"
#include "search_space/candidate.h"

namespace tilth {

class KnobSpace {
 public:
  virtual ~KnobSpace() = default;

  virtual int num_sketches() const = 0;
  // The knobs of sketch number `sketch`, at most Candidate::kMaxKnobs, each with at least one option.
  virtual const std::vector<Knob>& knobs(int sketch) const = 0;

  // Whether the rows fit together. A space has at least one allowed candidate.
  virtual bool IsAllowed(const Candidate& /*candidate*/) const { return true; }
  // Equal for candidates that are the same program.
  virtual uint64_t KeyOf(const Candidate& candidate) const = 0;
  // Sensible candidates without any measurement, at least one.
  virtual std::vector<Candidate> Defaults() const = 0;
  // For messages.
  virtual std::string name() const = 0;

  // The exact number of combinations, allowed or not (saturates at 2^64 - 1).
  uint64_t Size() const;
  // Combination number `index` in [0, Size()): enumerates small spaces.
  Candidate At(uint64_t index) const;

  // The candidates below are allowed.

  // Every one, in a fixed order, if there are at most `most`; otherwise none.
  virtual std::vector<Candidate> Enumerate(uint64_t most) const;
  // Uniform over sketches, then over rows.
  virtual Candidate Random(Rng& rng) const;
  // Redraws one knob; small steps (a neighbouring row) are as likely as jumps. Returns its argument only if no other
  // row was found that is allowed.
  Candidate Mutate(const Candidate& candidate, Rng& rng) const;
  // Each knob from one of the parents, which must share a sketch; one of them where no such mixture is allowed.
  Candidate Crossover(const Candidate& a, const Candidate& b, Rng& rng) const;
  // Those at most `distance` rows away in one knob.
  std::vector<Candidate> Neighbours(const Candidate& candidate, int distance) const;
};

}  // namespace tilth
