// What an agent's work directory keeps about the farm that the device has joined:
//
//   agent_id           who it is, over restarts
//   identity/          its key and certificate (proto/credentials.h)
//   identity/farm.json the tracker's address and the device class
#pragma once

#include <string>

#include "base/status.h"

namespace tilth {

struct JoinedFarm {
  std::string tracker, device_class;
};

std::string IdentityDirectoryOf(const std::string& work_directory);

// Empty if it has none yet.
std::string ReadAgentId(const std::string& work_directory);
Status WriteAgentId(const std::string& work_directory, const std::string& agent_id);

// Uses a token up. The errors of JoinFarm (proto/join.h); what was stored before is then as it was.
StatusOr<JoinedFarm> JoinAsAgent(const std::string& tracker, const std::string& token,
                                 const std::string& work_directory);

// kNotFound if the device has not joined a farm.
StatusOr<JoinedFarm> ReadJoinedFarm(const std::string& work_directory);

}  // namespace tilth
