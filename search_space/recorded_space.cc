#include "search_space/recorded_space.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/gzip.h"
#include "base/json_nesting.h"

namespace tilth {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kFailedMs = 1e20;  // how old versions of Kernel Tuner write a failure

std::string Text(const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

bool IsTime(const Json& value) {
  // Times are kept as floats: what would be 0 as one is no time.
  return value.is_number() && value.get<double>() < kFailedMs && value.get<float>() > 0;
}

// The repeats of an entry; none if it failed.
std::vector<float> TimesOf(const Json& entry) {
  std::vector<float> times;
  const auto time = entry.find("time");
  if (time == entry.end() || !IsTime(*time)) return times;
  if (const auto repeats = entry.find("times"); repeats != entry.end() && repeats->is_array()) {
    for (const Json& repeat : *repeats)
      if (IsTime(repeat)) times.push_back(repeat.get<float>());
  }
  if (times.empty()) times.push_back(time->get<float>());
  return times;
}

// Members of the document that are needed.
struct Cache {
  std::vector<std::string> names;
  const Json* parameters = nullptr;
  const Json* entries = nullptr;
};

StatusOr<Cache> Open(const Json& document) {
  if (!document.is_object()) return absl::InvalidArgumentError("not a JSON object: a cache file of Kernel Tuner is");
  Cache cache;
  for (const auto& [member, target] : {std::pair{"tune_params", &cache.parameters}, {"cache", &cache.entries}}) {
    const auto found = document.find(member);
    if (found == document.end() || !found->is_object() || found->empty())
      return absl::InvalidArgumentError(StrCat("\"", member, "\" is missing, or not an object with members"));
    *target = &*found;
  }
  const auto keys = document.find("tune_params_keys");
  if (keys == document.end()) {
    for (const auto& [name, values] : cache.parameters->items()) cache.names.push_back(name);
    return cache;
  }
  if (!keys->is_array()) return absl::InvalidArgumentError("\"tune_params_keys\" is not a list");
  for (const Json& name : *keys) {
    if (!name.is_string() || !cache.parameters->contains(name.get<std::string>()))
      return absl::InvalidArgumentError(StrCat("\"tune_params\" lacks ", name.dump(), " of \"tune_params_keys\""));
    cache.names.push_back(name.get<std::string>());
  }
  return cache;
}

// The values of each parameter that entries use, in the order of "tune_params".
StatusOr<std::vector<Parameter>> UsedParameters(const Cache& cache) {
  std::vector<Parameter> parameters;
  for (const std::string& name : cache.names) {
    absl::flat_hash_set<std::string> used;
    for (const auto& [key, entry] : cache.entries->items()) {
      if (!entry.is_object() || !entry.contains(name))
        return absl::InvalidArgumentError(StrCat("entry \"", key, "\" of \"cache\" has no \"", name, "\""));
      used.insert(Text(entry[name]));
    }
    if (used.size() < 2) continue;
    Parameter parameter{name, {}};
    if (!(*cache.parameters)[name].is_array())
      return absl::InvalidArgumentError(StrCat("\"tune_params\": ", name, " is not a list of values"));
    for (const Json& value : (*cache.parameters)[name])
      if (used.erase(Text(value)) > 0) parameter.values.push_back(Text(value));
    if (!used.empty())
      return absl::InvalidArgumentError(
          StrCat("\"tune_params\": ", name, " lacks the value ", *used.begin(), " of an entry of \"cache\""));
    parameters.push_back(std::move(parameter));
  }
  if (parameters.empty()) return absl::InvalidArgumentError("all entries of \"cache\" have the same parameters");
  return parameters;
}

Candidate PointOf(const Json& entry, const std::vector<Parameter>& parameters) {
  Candidate point;
  point.num_knobs = static_cast<uint8_t>(parameters.size());
  for (size_t i = 0; i < parameters.size(); ++i) {
    const std::vector<std::string>& values = parameters[i].values;
    const auto value = std::find(values.begin(), values.end(), Text(entry[parameters[i].name]));
    point.rows[i] = static_cast<uint16_t>(value - values.begin());
  }
  return point;
}

}  // namespace

StatusOr<std::unique_ptr<RecordedSpace>> RecordedSpace::Parse(std::string_view text, std::string name) {
  TILTH_RETURN_IF_ERROR(CheckJsonNesting(text), name);
  const Json document = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  TILTH_ASSIGN_OR_RETURN(const Cache cache, Open(document), name);
  TILTH_ASSIGN_OR_RETURN(std::vector<Parameter> parameters, UsedParameters(cache), name);
  if (parameters.size() > Candidate::kMaxKnobs)
    return absl::InvalidArgumentError(
        StrCat(name, ": ", parameters.size(), " parameters vary; at most ", Candidate::kMaxKnobs, " can be searched"));
  std::unique_ptr<RecordedSpace> recorded(new RecordedSpace());
  std::vector<Candidate> points;
  for (const auto& [key, entry] : cache.entries->items()) {
    points.push_back(PointOf(entry, parameters));
    Repeats repeats{TimesOf(entry)};
    if (repeats.times_ms.empty()) {
      ++recorded->failures_;
    } else {
      repeats.mean_ms = std::accumulate(repeats.times_ms.begin(), repeats.times_ms.end(), 0.0) /
                        static_cast<double>(repeats.times_ms.size());
      recorded->sorted_means_ms_.push_back(repeats.mean_ms);
    }
    if (!recorded->repeats_.emplace(HashOf(points.back()), std::move(repeats)).second)
      return absl::InvalidArgumentError(StrCat(name, ": entry \"", key, "\" of \"cache\" is there twice"));
  }
  if (recorded->sorted_means_ms_.empty())
    return absl::InvalidArgumentError(StrCat(name, ": every entry of \"cache\" failed"));
  std::sort(recorded->sorted_means_ms_.begin(), recorded->sorted_means_ms_.end());
  recorded->best_mean_ms_ = recorded->sorted_means_ms_.front();
  TILTH_ASSIGN_OR_RETURN(recorded->space_,
                         ParameterSpace::CreateFromPoints(name, std::move(parameters), std::move(points)), name);
  return recorded;
}

StatusOr<std::unique_ptr<RecordedSpace>> RecordedSpace::Read(const std::string& path) {
  TILTH_ASSIGN_OR_RETURN(const std::string text, ReadMaybeGzip(path));
  return Parse(text, path);
}

const RecordedSpace::Repeats& RecordedSpace::RepeatsOf(const Candidate& candidate) const {
  const auto found = repeats_.find(space_->KeyOf(candidate));
  TILTH_CHECK(found != repeats_.end());
  return found->second;
}

double RecordedSpace::MeanMs(const Candidate& candidate) const { return RepeatsOf(candidate).mean_ms; }

double RecordedSpace::DrawMs(const Candidate& candidate, Rng& rng) const {
  const std::vector<float>& times = RepeatsOf(candidate).times_ms;
  return times.empty() ? 0 : double{times[rng.Below(times.size())]};
}

}  // namespace tilth
