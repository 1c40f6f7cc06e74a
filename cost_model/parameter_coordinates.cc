#include "cost_model/parameter_coordinates.h"

#include <algorithm>
#include <cmath>

namespace tilth {
namespace {

constexpr LengthPrior kValuePrior = {-0.7, 0.8};
constexpr LengthPrior kPowerPrior = {0.3, 0.8};
constexpr LengthPrior kSketchPrior = {0, 0.8};

// The single integers of a knob's options, from the smallest on as 1, 2, …; empty if they are lists.
std::vector<double> Numbers(const Knob& knob) {
  std::vector<double> numbers;
  for (const std::vector<int64_t>& option : knob.options) {
    if (option.size() != 1) return {};
    numbers.push_back(static_cast<double>(option[0]));
  }
  const double least = *std::min_element(numbers.begin(), numbers.end());
  if (least <= 0)
    for (double& number : numbers) number += 1 - least;
  return numbers;
}

bool IsPowerOfTwo(double number) {
  int exponent;
  return std::frexp(number, &exponent) == 0.5;
}

}  // namespace

ParameterCoordinates::ParameterCoordinates(const KnobSpace& space) {
  for (int sketch = 0; sketch < space.num_sketches(); ++sketch) {
    // Other sketches are elsewhere, whatever their rows.
    if (space.num_sketches() > 1) {
      coordinates_.push_back({sketch, -1, {}});
      priors_.push_back(kSketchPrior);
    }
    const std::vector<Knob>& knobs = space.knobs(sketch);
    for (size_t knob = 0; knob < knobs.size(); ++knob) {
      const std::vector<double> numbers = Numbers(knobs[knob]);
      std::vector<float> values, powers;
      for (size_t row = 0; row < knobs[knob].options.size(); ++row) {
        values.push_back(numbers.empty() ? static_cast<float>(row) : static_cast<float>(std::log2(numbers[row])));
        const bool power = numbers.empty() || knobs[knob].options[row][0] <= 0 ||
                           IsPowerOfTwo(static_cast<double>(knobs[knob].options[row][0]));
        powers.push_back(power ? 0.0f : 1.0f);
      }
      Add(sketch, static_cast<int>(knob), std::move(values), kValuePrior);
      Add(sketch, static_cast<int>(knob), std::move(powers), kPowerPrior);
    }
  }
}

void ParameterCoordinates::Add(int sketch, int knob, std::vector<float> by_row, const LengthPrior& prior) {
  const auto [least, most] = std::minmax_element(by_row.begin(), by_row.end());
  const float low = *least, range = *most - *least;
  if (range <= 0) return;
  for (float& value : by_row) value = (value - low) / range;
  coordinates_.push_back({sketch, knob, std::move(by_row)});
  priors_.push_back(prior);
}

PointSet ParameterCoordinates::Of(std::span<const Candidate> candidates) const {
  PointSet points;
  for (const Coordinate& coordinate : coordinates_) {
    std::vector<float>& column = points.columns.emplace_back(candidates.size(), 0.0f);
    for (size_t i = 0; i < candidates.size(); ++i) {
      if (candidates[i].sketch != coordinate.sketch) continue;
      column[i] = coordinate.knob < 0 ? 1.0f : coordinate.by_row[candidates[i].rows[coordinate.knob]];
    }
  }
  return points;
}

}  // namespace tilth
