#include "base/logging.h"

#include <memory>
#include <string>

#include "spdlog/sinks/stdout_sinks.h"
#include "spdlog/spdlog.h"

namespace tilth {
namespace {

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kOff:
      return spdlog::level::off;
  }
  return spdlog::level::off;
}

void SetPattern(spdlog::logger& logger, std::string_view tag) {
  logger.set_pattern(StrCat("%H:%M:%S.%e %L ", tag, tag.empty() ? "" : ": ", "%v"));
}

spdlog::logger& Logger() {
  // Never destroyed: threads may log while statics are being torn down.
  static auto* logger = [] {
    auto* made = new spdlog::logger("tilth", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_level(spdlog::level::warn);
    SetPattern(*made, "");
    return made;
  }();
  return *logger;
}

}  // namespace

void SetLogLevel(LogLevel level) { Logger().set_level(ToSpdlog(level)); }

bool LogsAt(LogLevel level) { return Logger().should_log(ToSpdlog(level)); }

void SetLogTag(std::string_view tag) { SetPattern(Logger(), tag); }

void LogLine(LogLevel level, std::string_view line) {
  Logger().log(ToSpdlog(level), spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace tilth
