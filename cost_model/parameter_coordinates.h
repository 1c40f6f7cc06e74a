// Where the candidates of a space lie, for models that learn from distances.
#pragma once

#include <span>
#include <vector>

#include "cost_model/gaussian_process.h"
#include "search_space/knob_space.h"

namespace tilth {

// Coordinates in [0, 1]. Every knob with integer options gives the logarithm of the option, and one more, whether it is
// a power of two: hardware likes those, so that 48 may be less like 47 or 64 than these are like 32. Knobs whose
// options are not single positive integers give the position in the table. What does not vary gives none.
// Stateless after construction; thread-safe.
class ParameterCoordinates {
 public:
  explicit ParameterCoordinates(const KnobSpace& space);

  PointSet Of(std::span<const Candidate> candidates) const;
  // One for each coordinate.
  const std::vector<LengthPrior>& priors() const { return priors_; }

 private:
  struct Coordinate {
    int sketch;  // of the knob; candidates of other sketches lie at 0
    int knob;
    std::vector<float> by_row;
  };
  void Add(int sketch, int knob, std::vector<float> by_row, const LengthPrior& prior);

  std::vector<Coordinate> coordinates_;
  std::vector<LengthPrior> priors_;
};

}  // namespace tilth
