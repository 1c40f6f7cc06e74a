// The tracker's log: one line per event, made of key=value pairs, for people and for programs that read logs.
//
//   LogEvent(LogLevel::kInfo, "trial-leased").Add("trial", id).Add("agent", agent_id);
//   -> event=trial-leased trial=t17 agent=b1ebaec2
//
// Values that came from outside are escaped, and quoted where they need it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/logging.h"

namespace tilth {

class LogEvent {
 public:
  LogEvent(LogLevel level, std::string_view event);
  ~LogEvent();  // writes the line
  LogEvent(const LogEvent&) = delete;
  LogEvent& operator=(const LogEvent&) = delete;

  LogEvent& Add(std::string_view key, std::string_view value);
  LogEvent& Add(std::string_view key, int64_t value);

 private:
  const LogLevel level_;
  const bool on_;
  std::string line_;
};

}  // namespace tilth
