// What a candidate may write over the pipe on which its runner answers the agent.
#include <cstdint>
#include <string>

#include "rpc_agent/runner/request.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tilth::runner;
  const std::string text(reinterpret_cast<const char*>(data), size);
  // What was understood can be said again, and is understood again.
  if (const auto reply = ParseReply(text); reply && !ParseReply(FormatReply(*reply))) __builtin_trap();
  if (const auto peak = ParsePeak(text); peak && !ParsePeak(FormatPeak(*peak))) __builtin_trap();
  if (const auto request = ParseRequest(text); request && !ParseRequest(FormatRequest(*request))) __builtin_trap();
  return 0;
}
