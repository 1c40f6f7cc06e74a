#include "cost_model/pretrained_model.h"

#include <zstd.h>

#include <algorithm>
#include <utility>

#include "base/files.h"
#include "base/hash.h"
#include "base/json_nesting.h"
#include "base/version.h"
#include "cost_model/features.h"
#include "cost_model/xgb_model.h"
#include "nlohmann/json.hpp"
#include "search_space/space.h"

namespace tilth {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kCompressionLevel = 19;
constexpr size_t kLargestModel = size_t{256} << 20;
constexpr std::string_view kZstdMagic = "\x28\xb5\x2f\xfd";

std::string Compress(std::string_view bytes) {
  std::string packed(ZSTD_compressBound(bytes.size()), '\0');
  const size_t size = ZSTD_compress(packed.data(), packed.size(), bytes.data(), bytes.size(), kCompressionLevel);
  TILTH_CHECK(!ZSTD_isError(size));
  packed.resize(size);
  return packed;
}

StatusOr<std::string> Decompress(std::string_view packed) {
  const unsigned long long size = ZSTD_getFrameContentSize(packed.data(), packed.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || size > kLargestModel) {
    return absl::InvalidArgumentError("a damaged cost model: its compressed data has no plausible size");
  }
  std::string bytes(static_cast<size_t>(size), '\0');
  const size_t got = ZSTD_decompress(bytes.data(), bytes.size(), packed.data(), packed.size());
  if (ZSTD_isError(got) || got != bytes.size()) {
    return absl::InvalidArgumentError("a damaged cost model: its compressed data ends early or does not check");
  }
  return bytes;
}

Json ToJson(const ModelInfo& info) {
  Json machines = Json::array();
  for (const MachineClass& machine : info.machines) {
    machines.push_back({{"arch", machine.arch}, {"vector_bytes", machine.vector_bytes}});
  }
  return {{"records", info.records},        {"tasks", info.tasks},
          {"machines", machines},           {"devices", info.devices},
          {"space_version", kSpaceVersion}, {"tilth_version", kVersion},
          {"figures", info.figures}};
}

// Throws nlohmann's exceptions for missing members and wrong types.
ModelInfo InfoFromJson(const Json& json) {
  ModelInfo info;
  info.records = json.at("records").get<int64_t>();
  info.tasks = json.at("tasks").get<int64_t>();
  for (const Json& machine : json.at("machines")) {
    info.machines.push_back({machine.at("arch").get<std::string>(), machine.at("vector_bytes").get<int>()});
  }
  info.devices = json.at("devices").get<std::vector<std::string>>();
  info.space_version = json.at("space_version").get<int>();
  info.tilth_version = json.at("tilth_version").get<std::string>();
  info.figures = json.at("figures").get<std::map<std::string, double>>();
  return info;
}

Status CheckVersions(const Json& document) {
  if (!document.is_object() || !document.contains("tilth_model") || !document["tilth_model"].is_number_integer()) {
    return absl::InvalidArgumentError("not a cost model: expected a JSON object with tilth_model, its version");
  }
  if (const int version = document["tilth_model"].get<int>(); version != kModelFileVersion) {
    return absl::InvalidArgumentError(StrCat("a cost model file of version ", version, "; this program reads version ",
                                             kModelFileVersion, ": train a new one with `tilth model train`"));
  }
  if (!document.contains("feature_version") || document["feature_version"] != kFeatureVersion) {
    return absl::InvalidArgumentError(
        StrCat("a cost model of feature version ",
               document.contains("feature_version") ? document["feature_version"].dump() : std::string("unknown"),
               "; this program has version ", kFeatureVersion, ": train a new one with `tilth model train`"));
  }
  return absl::OkStatus();
}

}  // namespace

MachineClass MachineClassOf(const Target& target) {
  return {target.arch == Arch::kAArch64 ? "aarch64" : "x86_64", target.vector_bytes};
}

PretrainedModel::PretrainedModel(ModelInfo info, std::string hash, std::unique_ptr<XgbModel> forest)
    : info_(std::move(info)), hash_(std::move(hash)), forest_(std::move(forest)) {}
PretrainedModel::~PretrainedModel() = default;

StatusOr<std::shared_ptr<const PretrainedModel>> PretrainedModel::Parse(std::string_view bytes) {
  std::string hash = ContentHash(bytes);
  std::string unpacked;
  if (bytes.substr(0, kZstdMagic.size()) == kZstdMagic) {
    TILTH_ASSIGN_OR_RETURN(unpacked, Decompress(bytes));
    bytes = unpacked;
  }
  TILTH_RETURN_IF_ERROR(CheckJsonNesting(bytes), "not a cost model");
  const Json document = Json::parse(bytes, nullptr, /*allow_exceptions=*/false);
  TILTH_RETURN_IF_ERROR(CheckVersions(document));
  ModelInfo info;
  std::string forest_json;
  try {
    info = InfoFromJson(document.at("trained_on"));
    info.feature_version = kFeatureVersion;
    forest_json = Json({{"feature_version", kFeatureVersion}, {"model", document.at("forest")}}).dump();
  } catch (const nlohmann::json::exception& error) {
    return absl::InvalidArgumentError(StrCat("a damaged cost model: ", error.what()));
  }
  TILTH_ASSIGN_OR_RETURN(std::unique_ptr<XgbModel> forest, XgbModel::FromJson(forest_json), "a damaged cost model");
  return std::shared_ptr<const PretrainedModel>(new PretrainedModel(std::move(info), std::move(hash), std::move(forest)));
}

StatusOr<std::shared_ptr<const PretrainedModel>> PretrainedModel::ReadFile(const std::string& path) {
  TILTH_ASSIGN_OR_RETURN(const std::string bytes, tilth::ReadFile(path));
  StatusOr<std::shared_ptr<const PretrainedModel>> model = Parse(bytes);
  if (!model.ok()) return Annotate(model.status(), path);
  return model;
}

StatusOr<std::string> PretrainedModel::ToBytes(const ModelInfo& info, const XgbModel& forest) {
  TILTH_ASSIGN_OR_RETURN(const std::string json, forest.ToJson());
  Json document = {{"tilth_model", kModelFileVersion}, {"feature_version", kFeatureVersion}};
  document["trained_on"] = ToJson(info);
  document["forest"] = Json::parse(json)["model"];
  return Compress(document.dump());
}

bool PretrainedModel::Fits(const Target& target) const {
  return std::find(info_.machines.begin(), info_.machines.end(), MachineClassOf(target)) != info_.machines.end();
}

StatusOr<std::vector<float>> PretrainedModel::Predict(const FeatureMatrix& features) const {
  return forest_->Predict(features);
}

}  // namespace tilth
