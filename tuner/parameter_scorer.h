// Scores the candidates of a space by what its own measurements say: a Gaussian process over the parameters, and the
// improvement to be expected from measuring a candidate next. For spaces of which nothing else is known.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <vector>

#include "base/rng.h"
#include "cost_model/gaussian_process.h"
#include "cost_model/parameter_coordinates.h"
#include "tuner/search_policy.h"

namespace tilth {

// Jones, Schonlau, Welch: Efficient global optimization of expensive black-box functions (1998). Until
// kStartMeasurements are known, scores are random. docs/decisions/0010 has what the choices in
// here are worth. Not thread-safe.
class ParameterScorer : public CandidateScorer {
 public:
  static constexpr int kStartMeasurements = 12;

  // `space` outlives it.
  ParameterScorer(const KnobSpace& space, uint64_t seed);

  // Everything measured so far, in the order of measuring: what was given before comes first again.
  void Update(std::span<const MeasuredCandidate> measured);

  // Asking about the same candidates again is cheap.
  Status Score(std::span<const Candidate> candidates, std::span<float> scores, std::span<uint64_t> keys) override;

 private:
  void Refit();
  // Candidates that were asked about, and what is believed of them.
  struct Pool {
    std::vector<Candidate> candidates;
    std::vector<uint64_t> keys;
    PointSet points;
    std::optional<PoolPosterior> posterior;
    size_t observations = 0;  // of observed_ that the posterior has
  };

  // The pool with these candidates: one is kept for the whole space, one for neighbourhoods.
  Pool& PoolOf(std::span<const Candidate> candidates);
  void ScoreByImprovement(Pool* pool, std::span<float> scores);
  // What the process learns: see the definition.
  std::vector<double> Targets() const;

  const KnobSpace& space_;
  Rng rng_;
  ParameterCoordinates coordinates_;
  GaussianProcess process_;
  std::vector<MeasuredCandidate> measured_;
  PointSet points_;  // of measured_
  bool any_success_ = false;
  size_t measured_at_fit_ = 0;    // measurements when the process was fitted last
  std::vector<size_t> observed_;  // positions in measured_ that posteriors know of
  std::array<Pool, 2> pools_;     // a small one and a large one
};

}  // namespace tilth
