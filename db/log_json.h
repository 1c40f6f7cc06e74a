// Rows of the tuning log as JSON objects: the lines of `tilth log export`, and the columns that hold JSON. Internal to
// db and the log command; every line has a member "row" that names its table.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/status.h"
#include "db/tuning_log.h"

namespace tilth {

// Bytes that are not UTF-8 (a detail may hold anything) are replaced by U+FFFD.
std::string ToJson(const LoggedWorkload& workload);
std::string ToJson(const LoggedTarget& target);
std::string ToJson(const LoggedDevice& device);
std::string ToJson(const LoggedSession& session);
std::string ToJson(const TuningRecord& record);

using LogRow = std::variant<LoggedWorkload, LoggedTarget, LoggedDevice, LoggedSession, TuningRecord>;

// kInvalidArgument: no JSON object, an unknown "row", a member that is missing or of another type.
StatusOr<LogRow> RowFromJson(std::string_view line);

std::string SamplesToJson(const std::vector<double>& samples_ns);
StatusOr<std::vector<double>> SamplesFromJson(std::string_view json);

bool IsJsonObject(std::string_view text);

// The first line of an export and its check.
std::string ExportHeader();
Status CheckExportHeader(std::string_view line);

}  // namespace tilth
