// Logging for people: one line on stderr per event, with a time and a level. stdout belongs to results.
// Thread-safe. spdlog does the work behind logging.cc and is visible nowhere else.
#pragma once

#include <string_view>

#include "base/strings.h"

namespace tilth {

enum class LogLevel { kDebug, kInfo, kWarning, kError, kOff };

// Events below `level` are dropped. The default is kWarning, so that a command is quiet unless asked.
void SetLogLevel(LogLevel level);
bool LogsAt(LogLevel level);

// A short word put into every line of this process ("tracker", "agent"): several processes share a terminal.
void SetLogTag(std::string_view tag);

void LogLine(LogLevel level, std::string_view line);

// LogInfo("device ", name, " attached"): pieces are joined as by absl::StrCat, and only if the level is on.
template <typename... Pieces>
void LogDebug(const Pieces&... pieces) {
  if (LogsAt(LogLevel::kDebug)) LogLine(LogLevel::kDebug, StrCat(pieces...));
}
template <typename... Pieces>
void LogInfo(const Pieces&... pieces) {
  if (LogsAt(LogLevel::kInfo)) LogLine(LogLevel::kInfo, StrCat(pieces...));
}
template <typename... Pieces>
void LogWarning(const Pieces&... pieces) {
  if (LogsAt(LogLevel::kWarning)) LogLine(LogLevel::kWarning, StrCat(pieces...));
}
template <typename... Pieces>
void LogError(const Pieces&... pieces) {
  if (LogsAt(LogLevel::kError)) LogLine(LogLevel::kError, StrCat(pieces...));
}

}  // namespace tilth
