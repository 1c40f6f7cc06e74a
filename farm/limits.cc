#include "farm/limits.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "proto/blob.h"
#include "proto/names.h"

namespace tilth {
namespace {

constexpr size_t kMaxTitleBytes = 512;
constexpr int kMaxTags = 32, kMaxBuffers = 1024;
constexpr size_t kMaxHelloBytes = 1 << 20, kMaxTextBytes = 4096, kMaxNoteBytes = 16 << 10;
constexpr int64_t kLongestMs = 24 * 3600 * 1000;
constexpr double kMostGflops = 1e9;

Status CheckName(std::string_view what, std::string_view text, bool may_be_empty, size_t max_bytes = kMaxNameBytes) {
  if (text.empty() && !may_be_empty) return absl::InvalidArgumentError(StrCat("there is no ", what));
  const std::string fault = NameFault(text, max_bytes);
  return fault.empty() ? absl::OkStatus() : absl::InvalidArgumentError(StrCat("the ", what, " ", fault));
}

template <typename Tags>
Status CheckTags(const Tags& tags) {
  if (tags.size() > kMaxTags) {
    return absl::InvalidArgumentError(StrCat(tags.size(), " tags; at most ", kMaxTags, " are allowed"));
  }
  for (const std::string& tag : tags) TILTH_RETURN_IF_ERROR(CheckName("tag", tag, false));
  return absl::OkStatus();
}

}  // namespace

Status CheckOpenSession(const proto::OpenSessionRequest& request) {
  TILTH_RETURN_IF_ERROR(CheckName("session id", request.session_id(), false));
  TILTH_RETURN_IF_ERROR(CheckName("session's name", request.name(), true, kMaxTitleBytes));
  TILTH_RETURN_IF_ERROR(CheckName("device class", request.device_class(), false));
  TILTH_RETURN_IF_ERROR(CheckUser(request.user()));
  return CheckTags(request.device_tags());
}

Status CheckTrial(const proto::Trial& trial) {
  TILTH_RETURN_IF_ERROR(CheckName("trial id", trial.trial_id(), false));
  TILTH_RETURN_IF_ERROR(CheckName("trial's word", trial.together(), true));
  for (const std::string& hash : {trial.artifact_hash(), trial.baseline_hash()}) {
    if (IsContentHash(hash)) continue;
    return absl::InvalidArgumentError(
        StrCat("trial ", trial.trial_id(), ": '", Printable(hash), "' is no blob's hash"));
  }
  if (trial.note().size() > kMaxNoteBytes) {
    return absl::InvalidArgumentError(StrCat("trial ", trial.trial_id(), ": a note of ", trial.note().size(),
                                             " bytes; at most ", kMaxNoteBytes, " are allowed"));
  }
  if (trial.tolerances_size() > kMaxBuffers || trial.value_bounds_size() > kMaxBuffers) {
    return absl::InvalidArgumentError(
        StrCat("trial ", trial.trial_id(), " has more than ", kMaxBuffers, " tolerances or value bounds"));
  }
  return absl::OkStatus();
}

Status CheckHello(const proto::AgentHello& hello) {
  TILTH_RETURN_IF_ERROR(CheckName("agent id", hello.agent_id(), false));
  TILTH_RETURN_IF_ERROR(CheckName("device class", hello.device().device_class(), false));
  const proto::Device& device = hello.device();
  TILTH_RETURN_IF_ERROR(CheckName("host name", device.host_name(), true, kMaxTitleBytes));
  // An operator's terminal shows them.
  const std::pair<std::string_view, const std::string&> shown[] = {
      {"agent's version", hello.agent_version()},    {"processor's name", device.cpu_model()},
      {"architecture", device.architecture()},       {"fingerprint", device.fingerprint()},
      {"kernel's release", device.kernel_release()}, {"containment", device.sandbox()},
      {"accelerator's name", device.accelerator()}};
  for (const auto& [what, text] : shown) TILTH_RETURN_IF_ERROR(CheckName(what, text, true, kMaxTitleBytes));
  for (const std::string& zone : device.thermal_zones()) {
    TILTH_RETURN_IF_ERROR(CheckName("thermal zone", zone, true, kMaxTitleBytes));
  }
  const bool sane = device.cores() >= 0 && device.memory_bytes() >= 0 && device.peak_gflops() >= 0 &&
                    device.peak_gflops() < kMostGflops && device.bandwidth_gbps() >= 0 &&
                    device.bandwidth_gbps() < kMostGflops;
  if (!sane) return absl::InvalidArgumentError("the device's cores, memory, peak or bandwidth are no possible figures");
  if (hello.ByteSizeLong() > kMaxHelloBytes) {
    return absl::InvalidArgumentError(StrCat("a hello of ", hello.ByteSizeLong(), " bytes; at most ", kMaxHelloBytes));
  }
  return CheckTags(hello.tags());
}

Status CheckUser(std::string_view user) { return CheckName("user", user, true); }

void ClampDeadlines(proto::Trial* trial) {
  trial->set_run_deadline_ms(std::clamp<int64_t>(trial->run_deadline_ms(), 0, kLongestMs));
  trial->set_queue_deadline_ms(std::clamp<int64_t>(trial->queue_deadline_ms(), 0, kLongestMs));
  trial->set_transfer_deadline_ms(std::clamp<int64_t>(trial->transfer_deadline_ms(), 0, kLongestMs));
}

void TrimResult(proto::MeasureResult* result) {
  if (result->ByteSizeLong() <= kMaxResultBytes) return;
  result->clear_samples_ns();
  for (std::string* text :
       {result->mutable_detail(), result->mutable_status_message(), result->mutable_device_fingerprint()}) {
    // Escaped first, so that the cut does not fall into a character.
    if (text->size() > kMaxTextBytes) *text = absl::CHexEscape(*text).substr(0, kMaxTextBytes);
  }
}

}  // namespace tilth
