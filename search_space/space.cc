#include "search_space/space.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "search_space/rules/rules.h"
#include "search_space/schedule_key.h"

namespace tilth {

uint64_t HashOf(const Candidate& candidate) {
  // Four rows at a time; those past num_knobs are zero.
  uint64_t hash = MixBits(uint64_t{candidate.sketch} << 8 | candidate.num_knobs);
  for (size_t i = 0; i < candidate.num_knobs; i += 4) {
    uint64_t rows = 0;
    std::memcpy(&rows, candidate.rows.data() + i, std::min(candidate.rows.size() - i, size_t{4}) * sizeof(uint16_t));
    hash = CombineHash(hash, rows);
  }
  return hash;
}

StatusOr<std::unique_ptr<SearchSpace>> SearchSpace::Create(Workload workload, Target target) {
  TILTH_RETURN_IF_ERROR(Validate(workload), "workload ", workload.name);
  std::unique_ptr<SearchSpace> space(new SearchSpace(std::move(workload), std::move(target)));
  AddTiledSketches(space->workload_, space->target_, &space->sketches_);
  AddWinogradSketches(space->workload_, space->target_, &space->sketches_);
  AddRowwiseSketches(space->workload_, space->target_, &space->sketches_);
  AddElementwiseSketches(space->workload_, space->target_, &space->sketches_);
  if (space->sketches_.empty())
    return absl::UnimplementedError(
        StrCat("no schedule rule fits workload ", space->workload_.name, ":\n", ToText(space->workload_)));
  return space;
}

double SearchSpace::LeastFlops() const {
  double least = std::numeric_limits<double>::infinity();
  for (const auto& sketch : sketches_) least = std::min(least, sketch->LeastFlops());
  return least;
}

Candidate SearchSpace::Default() const { return sketches_[0]->Default(); }

std::vector<Candidate> SearchSpace::Defaults() const {
  std::vector<Candidate> defaults;
  for (size_t i = 0; i < sketches_.size(); ++i) {
    defaults.push_back(sketches_[i]->Default());
    defaults.back().sketch = static_cast<uint8_t>(i);
  }
  return defaults;
}

uint64_t SearchSpace::KeyOf(const Candidate& candidate) const { return ScheduleKey(Resolve(candidate)); }

Decisions SearchSpace::ToDecisions(const Candidate& candidate) const {
  const Sketch& sketch = *sketches_[candidate.sketch];
  Decisions decisions{sketch.name(), {}};
  for (size_t i = 0; i < sketch.knobs().size(); ++i)
    decisions.values.emplace_back(sketch.knobs()[i].name, sketch.knobs()[i].options[candidate.rows[i]]);
  return decisions;
}

StatusOr<Candidate> SearchSpace::FromDecisions(const Decisions& decisions) const {
  Candidate candidate;
  for (const auto& sketch : sketches_) {
    if (sketch->name() != decisions.sketch) {
      ++candidate.sketch;
      continue;
    }
    candidate.num_knobs = static_cast<uint8_t>(sketch->knobs().size());
    if (decisions.values.size() != sketch->knobs().size())
      return absl::NotFoundError(StrCat("sketch ", decisions.sketch, " has other knobs now"));
    for (size_t i = 0; i < sketch->knobs().size(); ++i) {
      const Knob& knob = sketch->knobs()[i];
      const auto value = std::find_if(decisions.values.begin(), decisions.values.end(),
                                      [&](const auto& v) { return v.first == knob.name; });
      if (value == decisions.values.end())
        return absl::NotFoundError(
            StrCat("sketch ", decisions.sketch, " has a knob that the record lacks: ", knob.name));
      const auto option = std::find(knob.options.begin(), knob.options.end(), value->second);
      if (option == knob.options.end())
        return absl::NotFoundError(StrCat("knob ", knob.name, " no longer has the recorded option"));
      candidate.rows[i] = static_cast<uint16_t>(option - knob.options.begin());
    }
    return candidate;
  }
  return absl::NotFoundError(StrCat("this space has no sketch ", decisions.sketch));
}

std::string ToJson(const Decisions& decisions) {
  nlohmann::ordered_json json;
  json["sketch"] = decisions.sketch;
  for (const auto& [name, value] : decisions.values) json[name] = value;
  return json.dump();
}

StatusOr<Decisions> DecisionsFromJson(std::string_view text) {
  const auto json = nlohmann::ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("sketch") || !json["sketch"].is_string())
    return absl::InvalidArgumentError("decisions are not a JSON object with a \"sketch\"");
  Decisions decisions;
  for (const auto& [key, value] : json.items()) {
    if (key == "sketch") {
      decisions.sketch = value.get<std::string>();
      continue;
    }
    std::vector<int64_t> numbers;
    if (!value.is_array()) return absl::InvalidArgumentError(StrCat("decision ", key, " is not a list of integers"));
    for (const auto& number : value) {
      if (!number.is_number_integer())
        return absl::InvalidArgumentError(StrCat("decision ", key, " is not a list of integers"));
      numbers.push_back(number.get<int64_t>());
    }
    decisions.values.emplace_back(key, std::move(numbers));
  }
  return decisions;
}

}  // namespace tilth
