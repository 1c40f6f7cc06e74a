// manifest.json: written for people and scripts, read back by `tilth run`.
#include <nlohmann/json.hpp>

#include "base/version.h"
#include "compiler/codegen/codegen.h"
#include "compiler/package/model_description.h"
#include "search_space/space.h"

namespace tilth {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kManifestVersion = 1;
constexpr int64_t kMaxElements = int64_t{1} << 40;

Json ToJsonValue(const std::vector<Tensor>& tensors) {
  Json list = Json::array();
  for (const Tensor& tensor : tensors) {
    Json entry;
    entry["name"] = tensor.name;
    entry["dtype"] = ToString(tensor.dtype);
    entry["shape"] = tensor.shape;
    if (tensor.value_bound > 0) entry["value_bound"] = tensor.value_bound;
    list.push_back(std::move(entry));
  }
  return list;
}

Json ToJsonValue(const KernelDescription& kernel) {
  Json entry;
  entry["name"] = kernel.name;
  entry["workload"] = kernel.workload;
  entry["uses"] = kernel.uses;
  entry["tuned"] = kernel.tuned;
  if (kernel.tuned) entry["median_ns"] = kernel.median_ns;
  if (kernel.predicted_gain > 0) entry["predicted_gain"] = kernel.predicted_gain;
  entry["decisions"] = Json::parse(ToJson(kernel.decisions));
  return entry;
}

StatusOr<std::vector<Tensor>> TensorsFromJson(const Json& list, TensorRole role) {
  std::vector<Tensor> tensors;
  for (const Json& entry : list) {
    Tensor tensor;
    tensor.name = entry.at("name");
    tensor.role = role;
    const std::optional<DType> dtype = ParseDType(entry.at("dtype").get<std::string>());
    if (!dtype) return absl::InvalidArgumentError(StrCat("tensor ", tensor.name, " has an unknown dtype"));
    tensor.dtype = *dtype;
    tensor.shape = entry.at("shape").get<std::vector<int64_t>>();
    int64_t elements = 1;
    for (const int64_t extent : tensor.shape) {
      if (extent < 1 || __builtin_mul_overflow(elements, extent, &elements) || elements > kMaxElements) {
        return absl::InvalidArgumentError(StrCat("tensor ", tensor.name, " has a shape that cannot be"));
      }
    }
    tensor.value_bound = entry.value("value_bound", int64_t{0});
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

StatusOr<ModelDescription> FromJson(const Json& manifest) {
  if (manifest.at("manifest_version") != kManifestVersion) {
    return absl::InvalidArgumentError(StrCat("this Tilth reads manifest version ", kManifestVersion, ", the file has ",
                                             manifest.at("manifest_version").dump(), "; build the model again"));
  }
  ModelDescription description;
  description.name = manifest.at("name");
  TILTH_RETURN_IF_ERROR(CheckModelName(description.name));
  description.model_hash = manifest.at("model_hash");
  description.target = manifest.at("target").at("name");
  TILTH_ASSIGN_OR_RETURN(description.inputs, TensorsFromJson(manifest.at("inputs"), TensorRole::kInput));
  TILTH_ASSIGN_OR_RETURN(description.outputs, TensorsFromJson(manifest.at("outputs"), TensorRole::kOutput));
  for (const Json& entry : manifest.at("kernels")) {
    KernelDescription kernel;
    kernel.name = entry.at("name");
    kernel.workload = entry.at("workload");
    kernel.uses = entry.at("uses");
    kernel.tuned = entry.at("tuned");
    kernel.median_ns = entry.value("median_ns", 0.0);
    kernel.predicted_gain = entry.value("predicted_gain", 0.0);
    description.kernels.push_back(std::move(kernel));
  }
  description.calls = manifest.at("calls").get<std::vector<int>>();
  for (const int kernel : description.calls) {
    if (kernel < 0 || kernel >= static_cast<int>(description.kernels.size())) {
      return absl::InvalidArgumentError(StrCat("a call names kernel ", kernel, ", which is not there"));
    }
  }
  description.weight_bytes = manifest.at("memory").at("weight_bytes");
  description.arena_bytes = manifest.at("memory").at("arena_bytes");
  description.default_threads = manifest.at("default_threads");
  return description;
}

}  // namespace

std::string ManifestJson(const ModelDescription& description) {
  Json manifest;
  manifest["manifest_version"] = kManifestVersion;
  manifest["name"] = description.name;
  manifest["library"] = StrCat("lib", description.name, ".so");
  manifest["model_hash"] = description.model_hash;
  manifest["versions"] = {{"tilth", kVersion}, {"space", kSpaceVersion}, {"codegen", kCodegenVersion}};
  manifest["target"] = {{"name", description.target}, {"description", description.target_text}};
  manifest["default_threads"] = description.default_threads;
  manifest["memory"] = {{"weight_bytes", description.weight_bytes}, {"arena_bytes", description.arena_bytes}};
  manifest["inputs"] = ToJsonValue(description.inputs);
  manifest["outputs"] = ToJsonValue(description.outputs);
  manifest["kernels"] = Json::array();
  for (const KernelDescription& kernel : description.kernels) manifest["kernels"].push_back(ToJsonValue(kernel));
  manifest["calls"] = description.calls;
  // Names come from a model file and may hold bytes that are not UTF-8.
  return manifest.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

StatusOr<ModelDescription> ParseManifest(const std::string& json) {
  try {
    return FromJson(Json::parse(json));
  } catch (const nlohmann::json::exception& error) {
    return absl::InvalidArgumentError(StrCat("not a manifest of 'tilth build': ", error.what()));
  }
}

}  // namespace tilth
