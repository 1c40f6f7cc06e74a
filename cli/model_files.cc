#include "cli/model_files.h"

#include <filesystem>
#include <ostream>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/files.h"
#include "cli/table.h"
#include "cost_model/pretrained_model.h"
#include "nlohmann/json.hpp"
#include "tuner/model_training.h"
#include "tuner/training_data.h"

namespace tilth {
namespace {

using Json = nlohmann::ordered_json;

std::string Dump(const Json& document) { return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

std::string Describe(const MachineClass& machine) {
  return StrCat(machine.arch, " with vectors of ", machine.vector_bytes, " bytes");
}

Json ToJson(const ModelInfo& info) {
  Json machines = Json::array();
  for (const MachineClass& machine : info.machines) {
    machines.push_back({{"arch", machine.arch}, {"vector_bytes", machine.vector_bytes}});
  }
  return {{"records", info.records},
          {"tasks", info.tasks},
          {"machines", machines},
          {"devices", info.devices},
          {"feature_version", info.feature_version},
          {"space_version", info.space_version},
          {"tilth_version", info.tilth_version},
          {"figures", info.figures}};
}

std::string Describe(const ModelInfo& info) {
  std::string text = StrCat(
      FormatCount(info.records), " records of ", FormatCount(info.tasks), " tasks on ",
      FormatCount(static_cast<int64_t>(info.devices.size())), info.devices.size() == 1 ? " device (" : " devices (",
      absl::StrJoin(info.machines, ", ",
                    [](std::string* out, const MachineClass& machine) { out->append(Describe(machine)); }),
      "), feature version ", info.feature_version, "\n");
  for (const auto& [name, value] : info.figures) text += absl::StrFormat("  %-28s %.3f\n", name, value);
  return text;
}

// The files that a path stands for: of a folder, those called *.model.
StatusOr<std::vector<std::string>> FilesAt(const std::string& path) {
  if (!std::filesystem::is_directory(path)) return std::vector<std::string>{path};
  TILTH_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDirectory(path));
  std::vector<std::string> files;
  for (const std::string& name : names) {
    const std::string file = StrCat(path, "/", name);
    if (name.ends_with(".model")) files.push_back(file);
  }
  return files;
}

struct Listed {
  std::string name;
  StatusOr<std::shared_ptr<const PretrainedModel>> model;
};

}  // namespace

Status TrainModelFile(const TrainArguments& arguments, std::ostream& out) {
  TILTH_ASSIGN_OR_RETURN(const TrainingData data, ReadTrainingData(arguments.logs));
  TILTH_ASSIGN_OR_RETURN(const TrainedModel trained, TrainModel(data, arguments.forest));
  TILTH_RETURN_IF_ERROR(WriteFileAtomically(arguments.output, trained.bytes), "-o ", arguments.output);
  // As it will be read.
  TILTH_ASSIGN_OR_RETURN(const auto model, PretrainedModel::Parse(trained.bytes), arguments.output);
  if (arguments.json) {
    Json document = {{"path", arguments.output}, {"bytes", trained.bytes.size()}};
    document.update(ToJson(model->info()));
    out << Dump(document);
  } else {
    out << arguments.output << ": " << FormatBytes(static_cast<int64_t>(trained.bytes.size())) << ", "
        << Describe(model->info());
  }
  return absl::OkStatus();
}

Status ListModels(const ListArguments& arguments, std::ostream& out) {
  std::vector<Listed> models;
  if (arguments.paths.empty()) models.push_back({"shipped with Tilth", ShippedModel()});
  for (const std::string& path : arguments.paths) {
    TILTH_ASSIGN_OR_RETURN(const std::vector<std::string> files, FilesAt(path), path);
    for (const std::string& file : files) models.push_back({file, PretrainedModel::ReadFile(file)});
  }
  Json document = Json::array();
  for (const Listed& listed : models) {
    Json entry = {{"model", listed.name}};
    if (listed.model.ok()) {
      entry.update(ToJson((*listed.model)->info()));
    } else {
      entry["error"] = listed.model.status().message();
    }
    document.push_back(std::move(entry));
    if (arguments.json) continue;
    out << listed.name << ": "
        << (listed.model.ok() ? Describe((*listed.model)->info())
                              : StrCat("cannot be used: ", listed.model.status().message(), "\n"));
  }
  if (arguments.json) out << Dump(document);
  return absl::OkStatus();
}

}  // namespace tilth
