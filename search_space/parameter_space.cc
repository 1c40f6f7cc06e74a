#include "search_space/parameter_space.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/numbers.h"
#include "base/json_nesting.h"

namespace tilth {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMostValues = 65'535;
constexpr int kDraws = 100'000;  // attempts at a random combination that is allowed

bool AllIntegers(const Parameter& parameter) {
  int64_t number;
  return std::all_of(parameter.values.begin(), parameter.values.end(),
                     [&](const std::string& value) { return absl::SimpleAtoi(value, &number); });
}

// A JSON scalar as a command line would say it.
StatusOr<std::string> ValueText(const Json& value, std::string_view parameter) {
  if (value.is_string()) {
    std::string text = value.get<std::string>();
    if (text.find('\0') == std::string::npos) return text;
    return absl::InvalidArgumentError(
        StrCat("parameter ", parameter, ": a value has a character of code 0, which no command line can have"));
  }
  if (value.is_number_integer() || value.is_number_float()) return value.dump();
  if (value.is_boolean()) return std::string(value.get<bool>() ? "1" : "0");
  return absl::InvalidArgumentError(
      StrCat("parameter ", parameter, ": a value is ", value.dump(), "; give numbers, texts or booleans"));
}

StatusOr<std::vector<Parameter>> ParametersFromJson(const Json& object) {
  if (!object.is_object() || object.empty())
    return absl::InvalidArgumentError("\"parameters\" must be an object such as {\"BLOCK_X\": [16, 32, 64]}");
  std::vector<Parameter> parameters;
  for (const auto& [name, values] : object.items()) {
    if (!values.is_array()) return absl::InvalidArgumentError(StrCat("parameter ", name, ": give a list of values"));
    Parameter parameter{name, {}};
    for (const Json& value : values) {
      TILTH_ASSIGN_OR_RETURN(parameter.values.emplace_back(), ValueText(value, name));
    }
    parameters.push_back(std::move(parameter));
  }
  return parameters;
}

}  // namespace

ParameterSpace::ParameterSpace(std::string name, std::vector<Parameter> parameters)
    : name_(std::move(name)), parameters_(std::move(parameters)) {
  for (const Parameter& parameter : parameters_) {
    Knob knob{parameter.name, {}};
    const bool integers = AllIntegers(parameter);
    for (size_t row = 0; row < parameter.values.size(); ++row) {
      int64_t option = static_cast<int64_t>(row);
      if (integers) TILTH_CHECK(absl::SimpleAtoi(parameter.values[row], &option));
      knob.options.push_back({option});
    }
    knobs_.push_back(std::move(knob));
  }
}

Status ParameterSpace::CheckParameters() const {
  if (parameters_.empty()) return absl::InvalidArgumentError("a space needs at least one parameter");
  if (parameters_.size() > Candidate::kMaxKnobs) {
    return absl::InvalidArgumentError(StrCat(parameters_.size(), " parameters; there may be at most ",
                                             Candidate::kMaxKnobs, ": leave out those with a single value"));
  }
  for (const Parameter& parameter : parameters_) {
    if (parameter.values.empty() || parameter.values.size() > kMostValues) {
      return absl::InvalidArgumentError(
          StrCat("parameter ", parameter.name, " has ", parameter.values.size(), " values; give 1 to ", kMostValues));
    }
    std::set<std::string> seen;
    for (const std::string& value : parameter.values) {
      if (!seen.insert(value).second)
        return absl::InvalidArgumentError(StrCat("parameter ", parameter.name, " has the value ", value, " twice"));
    }
  }
  return absl::OkStatus();
}

StatusOr<std::unique_ptr<ParameterSpace>> ParameterSpace::Create(std::string name, std::vector<Parameter> parameters,
                                                                 const std::vector<std::string>& constraints) {
  std::unique_ptr<ParameterSpace> space(new ParameterSpace(std::move(name), std::move(parameters)));
  TILTH_RETURN_IF_ERROR(space->CheckParameters());
  TILTH_RETURN_IF_ERROR(space->ParseConstraints(constraints));
  TILTH_RETURN_IF_ERROR(space->ListPoints());
  space->ChooseDefault();
  return space;
}

StatusOr<std::unique_ptr<ParameterSpace>> ParameterSpace::CreateFromPoints(std::string name,
                                                                           std::vector<Parameter> parameters,
                                                                           std::vector<Candidate> points) {
  std::unique_ptr<ParameterSpace> space(new ParameterSpace(std::move(name), std::move(parameters)));
  TILTH_RETURN_IF_ERROR(space->CheckParameters());
  if (points.empty()) return absl::InvalidArgumentError("the space has no points");
  std::sort(points.begin(), points.end());
  points.erase(std::unique(points.begin(), points.end()), points.end());
  space->listed_ = true;
  space->points_ = std::move(points);
  for (const Candidate& point : space->points_) space->keys_.insert(space->KeyOf(point));
  space->ChooseDefault();
  return space;
}

StatusOr<std::unique_ptr<ParameterSpace>> ParameterSpace::FromJson(std::string_view text) {
  TILTH_RETURN_IF_ERROR(CheckJsonNesting(text));
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return absl::InvalidArgumentError("not a JSON object");
  if (!json.contains("parameters")) return absl::InvalidArgumentError("it has no \"parameters\"");
  TILTH_ASSIGN_OR_RETURN(std::vector<Parameter> parameters, ParametersFromJson(json["parameters"]));
  std::vector<std::string> constraints;
  if (json.contains("constraints")) {
    if (!json["constraints"].is_array()) return absl::InvalidArgumentError("\"constraints\" must be a list of texts");
    for (const Json& constraint : json["constraints"]) {
      if (!constraint.is_string()) return absl::InvalidArgumentError("\"constraints\" must be a list of texts");
      constraints.push_back(constraint.get<std::string>());
    }
  }
  std::string name = "parameters";
  if (json.contains("name")) {
    if (!json["name"].is_string()) return absl::InvalidArgumentError("\"name\" must be a text");
    name = json["name"].get<std::string>();
  }
  return Create(std::move(name), std::move(parameters), constraints);
}

Status ParameterSpace::ParseConstraints(const std::vector<std::string>& constraints) {
  std::vector<std::string> names;  // a parameter with other values cannot be meant
  for (const Parameter& parameter : parameters_) names.push_back(AllIntegers(parameter) ? parameter.name : "");
  decided_at_.resize(parameters_.size());
  for (const std::string& text : constraints) {
    TILTH_ASSIGN_OR_RETURN(constraints_.emplace_back(), Constraint::Parse(text, names));
    const std::vector<int>& uses = constraints_.back().uses();
    const size_t last = uses.empty() ? 0 : static_cast<size_t>(uses.back());
    decided_at_[last].push_back(constraints_.size() - 1);
  }
  return absl::OkStatus();
}

bool ParameterSpace::HoldsUpTo(const Candidate& candidate, size_t last) const {
  if (decided_at_[last].empty()) return true;
  std::array<int64_t, Candidate::kMaxKnobs> values{};
  for (size_t i = 0; i <= last; ++i) values[i] = knobs_[i].options[candidate.rows[i]][0];
  return std::all_of(decided_at_[last].begin(), decided_at_[last].end(),
                     [&](size_t constraint) { return constraints_[constraint].Holds(values); });
}

// Depth first, leaving a branch at the first constraint that fails.
Status ParameterSpace::ListPoints() {
  Candidate candidate;
  candidate.num_knobs = static_cast<uint8_t>(parameters_.size());
  uint64_t visited = 0;
  constexpr uint64_t kMostVisited = 50'000'000;
  listed_ = true;
  size_t at = 0;
  std::vector<int> next(parameters_.size(), 0);
  for (;;) {
    if (next[at] == static_cast<int>(parameters_[at].values.size())) {
      if (at == 0) break;
      next[at--] = 0;
      continue;
    }
    candidate.rows[at] = static_cast<uint16_t>(next[at]++);
    if (++visited > kMostVisited || points_.size() > kMostListed) {
      listed_ = false;
      break;
    }
    if (!HoldsUpTo(candidate, at)) continue;
    if (at + 1 == parameters_.size()) {
      points_.push_back(candidate);
    } else {
      ++at;
    }
  }
  if (!points_.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(StrCat("no combination of values satisfies the constraints",
                                           listed_ ? "" : " (of the first 50 million that were tried)"));
}

void ParameterSpace::ChooseDefault() {
  default_ = points_[points_.size() / 2];
  if (!listed_) points_.clear();
}

bool ParameterSpace::IsAllowed(const Candidate& candidate) const {
  if (!keys_.empty()) return keys_.contains(KeyOf(candidate));
  for (size_t i = 0; i < parameters_.size(); ++i)
    if (!HoldsUpTo(candidate, i)) return false;
  return true;
}

std::vector<Candidate> ParameterSpace::Enumerate(uint64_t most) const {
  return listed_ && points_.size() <= most ? points_ : std::vector<Candidate>();
}

Candidate ParameterSpace::Random(Rng& rng) const { return listed_ ? points_[rng.Below(points_.size())] : Draw(rng); }

Candidate ParameterSpace::Draw(Rng& rng) const {
  for (int attempt = 0; attempt < kDraws; ++attempt) {
    Candidate candidate = default_;
    size_t at = 0;
    for (; at < parameters_.size(); ++at) {
      candidate.rows[at] = static_cast<uint16_t>(rng.Below(parameters_[at].values.size()));
      if (!HoldsUpTo(candidate, at)) break;
    }
    if (at == parameters_.size()) return candidate;
  }
  // Where hardly anything is allowed, a walk from the known combination.
  return Mutate(default_, rng);
}

std::string ParameterSpace::ToJson(const Candidate& candidate) const {
  Json json = Json::object();
  for (size_t i = 0; i < parameters_.size(); ++i) json[parameters_[i].name] = Value(candidate, i);
  return json.dump();
}

StatusOr<Candidate> ParameterSpace::FromJsonValues(std::string_view text) const {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || json.size() != parameters_.size())
    return absl::NotFoundError(StrCat("the space has other parameters than ", text));
  Candidate candidate;
  candidate.num_knobs = static_cast<uint8_t>(parameters_.size());
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const Parameter& parameter = parameters_[i];
    if (!json.contains(parameter.name) || !json[parameter.name].is_string())
      return absl::NotFoundError(StrCat("the space has a parameter that the record lacks: ", parameter.name));
    const auto value =
        std::find(parameter.values.begin(), parameter.values.end(), json[parameter.name].get<std::string>());
    if (value == parameter.values.end())
      return absl::NotFoundError(StrCat("parameter ", parameter.name, " no longer has the recorded value"));
    candidate.rows[i] = static_cast<uint16_t>(value - parameter.values.begin());
  }
  if (!IsAllowed(candidate)) return absl::NotFoundError(StrCat("the constraints no longer allow ", text));
  return candidate;
}

}  // namespace tilth
