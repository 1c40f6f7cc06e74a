#include "rpc_agent/membership.h"

#include "base/files.h"
#include "base/unique_id.h"
#include "nlohmann/json.hpp"
#include "proto/join.h"

namespace tilth {
namespace {

std::string FarmFile(const std::string& work_directory) {
  return StrCat(IdentityDirectoryOf(work_directory), "/farm.json");
}

}  // namespace

std::string IdentityDirectoryOf(const std::string& work_directory) { return StrCat(work_directory, "/identity"); }

std::string ReadAgentId(const std::string& work_directory) {
  return ReadFile(StrCat(work_directory, "/agent_id")).value_or("");
}

Status WriteAgentId(const std::string& work_directory, const std::string& agent_id) {
  return WriteSecretFile(StrCat(work_directory, "/agent_id"), agent_id);
}

StatusOr<JoinedFarm> JoinAsAgent(const std::string& tracker, const std::string& token,
                                 const std::string& work_directory) {
  TILTH_RETURN_IF_ERROR(MakeDirectories(work_directory));
  std::string agent_id = ReadAgentId(work_directory);
  if (agent_id.empty()) agent_id = UniqueId();
  TILTH_ASSIGN_OR_RETURN(const Membership membership, JoinFarm(tracker, token, agent_id));
  TILTH_RETURN_IF_ERROR(WriteAgentId(work_directory, agent_id));
  TILTH_RETURN_IF_ERROR(StoreIdentity(IdentityDirectoryOf(work_directory), membership.identity));
  const nlohmann::json farm = {{"tracker", tracker}, {"device_class", membership.device_class}};
  TILTH_RETURN_IF_ERROR(WriteSecretFile(FarmFile(work_directory), StrCat(farm.dump(2), "\n")));
  return JoinedFarm{.tracker = tracker, .device_class = membership.device_class};
}

StatusOr<JoinedFarm> ReadJoinedFarm(const std::string& work_directory) {
  TILTH_ASSIGN_OR_RETURN(const std::string text, ReadFile(FarmFile(work_directory)));
  const nlohmann::json farm = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!farm.is_object() || !farm.contains("tracker") || !farm["tracker"].is_string() ||
      !farm.contains("device_class") || !farm["device_class"].is_string()) {
    return absl::FailedPreconditionError(
        StrCat(FarmFile(work_directory), " is damaged; join the farm again with a new token"));
  }
  return JoinedFarm{.tracker = farm["tracker"], .device_class = farm["device_class"]};
}

}  // namespace tilth
