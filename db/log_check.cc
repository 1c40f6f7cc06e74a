// The rules of each table that SQL does not express.
#include "db/log_check.h"

#include <cmath>

#include "base/hash.h"
#include "db/log_json.h"

namespace tilth {
namespace {

Status Wrong(std::string_view table, std::string_view key, std::string_view what) {
  return absl::InvalidArgumentError(StrCat(table, " ", key, ": ", what));
}

}  // namespace

Status CheckRow(const LoggedWorkload& workload) {
  if (ContentHash(workload.text) != workload.hash) {
    return Wrong("workload", workload.hash, "its text does not have this hash");
  }
  return absl::OkStatus();
}

Status CheckRow(const LoggedTarget& target) {
  if (ContentHash(target.text) != target.hash) return Wrong("target", target.hash, "its text does not have this hash");
  return absl::OkStatus();
}

Status CheckRow(const LoggedDevice& device) {
  if (device.fingerprint.empty()) return Wrong("device", "without fingerprint", "a device needs one");
  if (!IsJsonObject(device.attributes)) {
    return Wrong("device", device.fingerprint, "its attributes are not a JSON object");
  }
  return absl::OkStatus();
}

Status CheckRow(const LoggedSession& session) {
  if (session.id.empty()) return Wrong("session", "without id", "a session needs one");
  if (!IsJsonObject(session.arguments)) return Wrong("session", session.id, "its arguments are not a JSON object");
  if (!IsJsonObject(session.summary)) return Wrong("session", session.id, "its summary is not a JSON object");
  return absl::OkStatus();
}

Status CheckRow(const TuningRecord& record) {
  const std::string& id = record.trial_id;
  if (id.empty()) return Wrong("record", "without trial id", "a record needs one");
  if (record.status.empty()) return Wrong("record", id, "its status is empty");
  if (!IsJsonObject(record.decisions)) return Wrong("record", id, "its decisions are not a JSON object");
  const bool timed = std::isfinite(record.median_ns) && record.median_ns > 0;
  if (record.ok() && !timed) return Wrong("record", id, "it is ok, but its median is not a positive time");
  if (!record.ok() && record.median_ns != 0) return Wrong("record", id, "it failed, and yet it has a median");
  for (const double value : {record.spread, record.build_s, record.measure_s}) {
    if (!std::isfinite(value) || value < 0) return Wrong("record", id, "a spread or duration is not a finite number");
  }
  for (const double sample : record.samples_ns) {
    if (!std::isfinite(sample) || sample < 0) return Wrong("record", id, "a sample is not a time");
  }
  return absl::OkStatus();
}

}  // namespace tilth
