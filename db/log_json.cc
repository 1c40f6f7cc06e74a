// Conversions between rows and JSON. Decisions, arguments, attributes and summaries are JSON already and are embedded
// as objects, so that an export can be queried with ordinary tools.
#include "db/log_json.h"

#include "nlohmann/json.hpp"

namespace tilth {
namespace {

using nlohmann::json;

constexpr int kExportVersion = 1;

std::string Dump(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

json Parse(std::string_view text) { return json::parse(text, nullptr, /*allow_exceptions=*/false); }

// Reads members of one object; remembers the first that does not fit.
class Reader {
 public:
  explicit Reader(const json& object) : object_(object) {}

  std::string String(const char* name) { return Get<std::string>(name, "a text", &json::is_string); }
  double Double(const char* name) { return Get<double>(name, "a number", &json::is_number); }
  int64_t Int64(const char* name) { return Get<int64_t>(name, "an integer", &json::is_number_integer); }
  uint64_t Uint64(const char* name) { return Get<uint64_t>(name, "an unsigned integer", &json::is_number_unsigned); }
  int Int(const char* name) { return static_cast<int>(Int64(name)); }
  std::string Object(const char* name) {
    const json* member = Find(name, "an object", &json::is_object);
    return member == nullptr ? "" : Dump(*member);
  }
  std::vector<double> Numbers(const char* name) {
    const json* member = Find(name, "an array of numbers", &json::is_array);
    std::vector<double> numbers;
    if (member == nullptr) return numbers;
    for (const json& element : *member) {
      if (!element.is_number()) {
        Note(name, "an array of numbers");
        return {};
      }
      numbers.push_back(element.get<double>());
    }
    return numbers;
  }

  const Status& status() const { return status_; }

 private:
  using Predicate = bool (json::*)() const noexcept;

  void Note(const char* name, const char* expected) {
    if (status_.ok()) status_ = absl::InvalidArgumentError(StrCat("member \"", name, "\" must be ", expected));
  }
  const json* Find(const char* name, const char* expected, Predicate fits) {
    const auto member = object_.find(name);
    if (member != object_.end() && ((*member).*fits)()) return &*member;
    Note(name, expected);
    return nullptr;
  }
  template <typename T>
  T Get(const char* name, const char* expected, Predicate fits) {
    const json* member = Find(name, expected, fits);
    return member == nullptr ? T{} : member->get<T>();
  }

  const json& object_;
  Status status_;
};

LoggedSession ReadSession(Reader& reader) {
  return {.id = reader.String("id"),
          .model = reader.String("model"),
          .model_hash = reader.String("model_hash"),
          .arguments = reader.Object("arguments"),
          .seed = reader.Uint64("seed"),
          .tilth_version = reader.String("tilth_version"),
          .started_unix_ns = reader.Int64("started_unix_ns"),
          .ended_unix_ns = reader.Int64("ended_unix_ns"),
          .summary = reader.Object("summary")};
}

TuningRecord ReadRecord(Reader& reader) {
  return {.trial_id = reader.String("trial_id"),
          .session_id = reader.String("session_id"),
          .workload_hash = reader.String("workload_hash"),
          .target_hash = reader.String("target_hash"),
          .device_fingerprint = reader.String("device_fingerprint"),
          .decisions = reader.Object("decisions"),
          .space_version = reader.Int("space_version"),
          .feature_version = reader.Int("feature_version"),
          .codegen_version = reader.Int("codegen_version"),
          .origin = reader.String("origin"),
          .status = reader.String("status"),
          .detail = reader.String("detail"),
          .median_ns = reader.Double("median_ns"),
          .spread = reader.Double("spread"),
          .samples_ns = reader.Numbers("samples_ns"),
          .time_unix_ns = reader.Int64("time_unix_ns"),
          .build_s = reader.Double("build_s"),
          .measure_s = reader.Double("measure_s"),
          .artifact_hash = reader.String("artifact_hash")};
}

}  // namespace

std::string ToJson(const LoggedWorkload& workload) {
  return Dump({{"row", "workload"}, {"hash", workload.hash}, {"text", workload.text}, {"name", workload.name}});
}

std::string ToJson(const LoggedTarget& target) {
  return Dump({{"row", "target"}, {"hash", target.hash}, {"text", target.text}});
}

std::string ToJson(const LoggedDevice& device) {
  return Dump({{"row", "device"},
               {"fingerprint", device.fingerprint},
               {"class", device.device_class},
               {"attributes", Parse(device.attributes)}});
}

std::string ToJson(const LoggedSession& session) {
  return Dump({{"row", "session"},
               {"id", session.id},
               {"model", session.model},
               {"model_hash", session.model_hash},
               {"arguments", Parse(session.arguments)},
               {"seed", session.seed},
               {"tilth_version", session.tilth_version},
               {"started_unix_ns", session.started_unix_ns},
               {"ended_unix_ns", session.ended_unix_ns},
               {"summary", Parse(session.summary)}});
}

std::string ToJson(const TuningRecord& record) {
  return Dump({{"row", "record"},
               {"trial_id", record.trial_id},
               {"session_id", record.session_id},
               {"workload_hash", record.workload_hash},
               {"target_hash", record.target_hash},
               {"device_fingerprint", record.device_fingerprint},
               {"decisions", Parse(record.decisions)},
               {"space_version", record.space_version},
               {"feature_version", record.feature_version},
               {"codegen_version", record.codegen_version},
               {"origin", record.origin},
               {"status", record.status},
               {"detail", record.detail},
               {"median_ns", record.median_ns},
               {"spread", record.spread},
               {"samples_ns", record.samples_ns},
               {"time_unix_ns", record.time_unix_ns},
               {"build_s", record.build_s},
               {"measure_s", record.measure_s},
               {"artifact_hash", record.artifact_hash}});
}

StatusOr<LogRow> RowFromJson(std::string_view line) {
  const json object = Parse(line);
  if (!object.is_object()) return absl::InvalidArgumentError("not a JSON object");
  Reader reader(object);
  const std::string row = reader.String("row");
  TILTH_RETURN_IF_ERROR(reader.status());
  LogRow result;
  if (row == "workload") {
    result = LoggedWorkload{reader.String("hash"), reader.String("text"), reader.String("name")};
  } else if (row == "target") {
    result = LoggedTarget{reader.String("hash"), reader.String("text")};
  } else if (row == "device") {
    result = LoggedDevice{reader.String("fingerprint"), reader.String("class"), reader.Object("attributes")};
  } else if (row == "session") {
    result = ReadSession(reader);
  } else if (row == "record") {
    result = ReadRecord(reader);
  } else {
    return absl::InvalidArgumentError(
        StrCat("unknown row \"", row, "\"; known are workload, target, device, session and record"));
  }
  TILTH_RETURN_IF_ERROR(reader.status(), row);
  return result;
}

std::string SamplesToJson(const std::vector<double>& samples_ns) { return json(samples_ns).dump(); }

StatusOr<std::vector<double>> SamplesFromJson(std::string_view text) {
  const json object = {{"samples_ns", Parse(text)}};
  Reader reader(object);
  std::vector<double> samples = reader.Numbers("samples_ns");
  TILTH_RETURN_IF_ERROR(reader.status());
  return samples;
}

bool IsJsonObject(std::string_view text) { return Parse(text).is_object(); }

std::string ExportHeader() { return Dump({{"row", "tilth-log"}, {"version", kExportVersion}}); }

Status CheckExportHeader(std::string_view line) {
  const json object = Parse(line);
  if (!object.is_object() || object.value("row", json()) != "tilth-log" || !object.contains("version")) {
    return absl::InvalidArgumentError(
        "not an export of a tuning log: it must begin with the line that "
        "`tilth log export` writes first");
  }
  if (object["version"] != kExportVersion) {
    return absl::FailedPreconditionError(StrCat("the export has version ", object["version"].dump(),
                                                ", and this Tilth reads version ", kExportVersion,
                                                ": use the Tilth that wrote it, or a newer one"));
  }
  return absl::OkStatus();
}

}  // namespace tilth
