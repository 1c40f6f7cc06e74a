#include "farm/event_log.h"

#include "proto/names.h"

namespace tilth {

LogEvent::LogEvent(LogLevel level, std::string_view event) : level_(level), on_(LogsAt(level)) {
  if (on_) line_ = StrCat("event=", event);
}

LogEvent::~LogEvent() {
  if (on_) LogLine(level_, line_);
}

LogEvent& LogEvent::Add(std::string_view key, std::string_view value) {
  if (!on_) return *this;
  const std::string text = Printable(value);
  const bool quoted = text.empty() || text.find_first_of(" =") != std::string::npos;
  line_ += StrCat(" ", key, quoted ? "=\"" : "=", text, quoted ? "\"" : "");
  return *this;
}

LogEvent& LogEvent::Add(std::string_view key, int64_t value) {
  if (on_) line_ += StrCat(" ", key, "=", value);
  return *this;
}

}  // namespace tilth
