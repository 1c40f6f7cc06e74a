// ParameterSpace: a kernel author's own space. Parameters with lists of values, of which constraints (or a list of
// points) allow some combinations. docs/parameter-spaces.md describes the JSON.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "search_space/candidate.h"
#include "search_space/constraint.h"
#include "search_space/knob_space.h"

namespace tilth {

// A value is what a command line or a #define would say: "32", "row_major".
struct Parameter {
  std::string name;
  std::vector<std::string> values;  // at least one, all different
};

// Immutable after Create and safe to share between threads. One sketch; knob i is parameter i, its options are the
// integers, or the positions of values that are not all integers.
class ParameterSpace : public KnobSpace {
 public:
  // Larger spaces are sampled, not listed.
  static constexpr size_t kMostListed = 1 << 18;

  // INVALID_ARGUMENT: no or too many parameters, values that repeat, a constraint that cannot be read, no combination
  // that is allowed.
  static StatusOr<std::unique_ptr<ParameterSpace>> Create(std::string name, std::vector<Parameter> parameters,
                                                          const std::vector<std::string>& constraints);
  // The combinations are those of `points`, rows of values.
  static StatusOr<std::unique_ptr<ParameterSpace>> CreateFromPoints(std::string name, std::vector<Parameter> parameters,
                                                                    std::vector<Candidate> points);
  // From the members "name", "parameters" and "constraints" of a JSON object; others belong to whoever measures.
  static StatusOr<std::unique_ptr<ParameterSpace>> FromJson(std::string_view json);

  const std::vector<Parameter>& parameters() const { return parameters_; }
  const std::string& Value(const Candidate& candidate, size_t parameter) const {
    return parameters_[parameter].values[candidate.rows[parameter]];
  }
  // Every allowed combination in a fixed order; empty if there are more than kMostListed.
  const std::vector<Candidate>& points() const { return points_; }

  // {"BLOCK_X":"32","LAYOUT":"row_major"} and back. NOT_FOUND: it is not a combination of this space.
  std::string ToJson(const Candidate& candidate) const;
  StatusOr<Candidate> FromJsonValues(std::string_view json) const;

  int num_sketches() const override { return 1; }
  const std::vector<Knob>& knobs(int /*sketch*/) const override { return knobs_; }
  bool IsAllowed(const Candidate& candidate) const override;
  uint64_t KeyOf(const Candidate& candidate) const override { return HashOf(candidate); }
  // The combination in the middle of the allowed ones.
  std::vector<Candidate> Defaults() const override { return {default_}; }
  std::string name() const override { return name_; }
  std::vector<Candidate> Enumerate(uint64_t most) const override;
  // Uniform over the combinations if they are listed.
  Candidate Random(Rng& rng) const override;

 private:
  ParameterSpace(std::string name, std::vector<Parameter> parameters);
  Status CheckParameters() const;
  Status ParseConstraints(const std::vector<std::string>& constraints);
  Status ListPoints();
  void ChooseDefault();
  // Whether the constraints that can be decided once parameters 0 … last are chosen, and not before, hold.
  bool HoldsUpTo(const Candidate& candidate, size_t last) const;
  Candidate Draw(Rng& rng) const;

  std::string name_;
  std::vector<Parameter> parameters_;
  std::vector<Knob> knobs_;
  std::vector<Constraint> constraints_;
  std::vector<std::vector<size_t>> decided_at_;  // by parameter: the constraints whose last parameter it is
  bool listed_ = false;
  std::vector<Candidate> points_;
  absl::flat_hash_set<uint64_t> keys_;  // of points given as a list
  Candidate default_;
};

}  // namespace tilth
