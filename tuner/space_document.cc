#include "tuner/space_document.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "base/files.h"
#include "base/json_nesting.h"

namespace tilth {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kMostTimeoutSeconds = 1'000'000;

StatusOr<std::vector<std::string>> Arguments(const Json& json, const char* member) {
  const Json& list = json[member];
  std::vector<std::string> arguments;
  if (!list.is_array() || list.empty())
    return absl::InvalidArgumentError(StrCat("\"", member, "\" must be a list of texts, program first"));
  for (const Json& argument : list) {
    if (!argument.is_string())
      return absl::InvalidArgumentError(StrCat("\"", member, "\" must be a list of texts, program first"));
    arguments.push_back(argument.get<std::string>());
  }
  return arguments;
}

Status ReadHowToRun(const Json& json, SpaceDocument* document) {
  if (json.contains("command") == json.contains("source"))
    return absl::InvalidArgumentError("give either a \"command\" to run or a C \"source\" to compile and run");
  if (json.contains("command")) {
    TILTH_ASSIGN_OR_RETURN(document->command, Arguments(json, "command"));
  } else {
    if (!json["source"].is_string()) return absl::InvalidArgumentError("\"source\" must be the name of a C file");
    document->source = json["source"].get<std::string>();
    if (!FileExists(StrCat(document->directory, "/", document->source)))
      return absl::NotFoundError(StrCat("\"source\": there is no file ", document->source, " beside it"));
    document->compiler = {"cc", "-O3", "-march=native"};
    if (json.contains("compiler")) {
      TILTH_ASSIGN_OR_RETURN(document->compiler, Arguments(json, "compiler"));
    }
  }
  if (json.contains("repeats")) {
    if (!json["repeats"].is_number_integer() || json["repeats"] < 1 || json["repeats"] > 1000)
      return absl::InvalidArgumentError("\"repeats\" must be an integer from 1 to 1000");
    document->repeats = json["repeats"].get<int>();
  }
  if (json.contains("timeout_s")) {
    if (!json["timeout_s"].is_number() || json["timeout_s"] < 0.001 || json["timeout_s"] > kMostTimeoutSeconds)
      return absl::InvalidArgumentError(
          StrCat("\"timeout_s\" must be a number of seconds from 0.001 to ", kMostTimeoutSeconds));
    document->timeout_s = json["timeout_s"].get<double>();
  }
  return absl::OkStatus();
}

StatusOr<SpaceDocument> Parse(const std::string& text, std::string directory) {
  TILTH_RETURN_IF_ERROR(CheckJsonNesting(text));
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return absl::InvalidArgumentError("not a JSON object");
  static const std::set<std::string> kMembers = {"name",   "parameters", "constraints", "command",
                                                 "source", "compiler",   "repeats",     "timeout_s"};
  for (const auto& [member, value] : json.items()) {
    if (!kMembers.contains(member)) return absl::InvalidArgumentError(StrCat("\"", member, "\" means nothing here"));
  }
  SpaceDocument document;
  document.text = json.dump();
  document.directory = std::move(directory);
  TILTH_ASSIGN_OR_RETURN(document.space, ParameterSpace::FromJson(text));
  TILTH_RETURN_IF_ERROR(ReadHowToRun(json, &document));
  return document;
}

}  // namespace

StatusOr<SpaceDocument> ReadSpaceDocument(const std::string& path) {
  TILTH_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  std::string directory = std::filesystem::path(path).parent_path().string();
  StatusOr<SpaceDocument> document = Parse(text, directory.empty() ? "." : std::move(directory));
  if (!document.ok()) return Annotate(document.status(), path);
  return document;
}

}  // namespace tilth
