// The runner's way of telling the agent how far it is and what came out (request.h describes the lines).
#pragma once

#include <string>

namespace tilth::runner {

void ReportStage(const char* stage);
void ReportReply(const std::string& json);

}  // namespace tilth::runner
