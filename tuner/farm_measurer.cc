// Puts the parts together: affinity, farm, client, pipeline.
#include "tuner/farm_measurer.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "base/clock.h"
#include "base/logging.h"
#include "farm/client.h"
#include "farm/embedded.h"
#include "tuner/affinity.h"
#include "tuner/measure_pipeline.h"

namespace tilth {
namespace {

constexpr int64_t kDeviceWaitMs = 30'000, kDeviceWaitStepMs = 500;
constexpr int kMostBuildThreads = 8;

// As devices spell it.
const char* ArchitectureOf(const Target& target) { return target.arch == Arch::kAArch64 ? "aarch64" : "x86_64"; }

class FarmMeasurer : public Measurer {
 public:
  Status Connect(const Target& target, const FarmMeasurerOptions& options) {
    FarmClientOptions client_options;
    client_options.address = options.address;
    client_options.device_class = options.device_class;
    client_options.device_tags = options.device_tags;
    client_options.priority = options.priority;
    client_options.session_name = options.session_name;
    client_options.session_id = options.session_id;
    if (options.address.empty()) {
      TILTH_RETURN_IF_ERROR(StartFarm(target));
      client_options.address = embedded_->address();
      client_options.in_the_clear = true;
      client_options.device_class = embedded_->device_class();
    }
    TILTH_ASSIGN_OR_RETURN(client_, FarmClient::Connect(client_options));
    TILTH_ASSIGN_OR_RETURN(device_, WaitDevice(options.stop));
    if (const char* wanted = ArchitectureOf(target); device_.architecture != wanted) {
      return absl::FailedPreconditionError(StrCat("target ", target.name, " is for ", wanted,
                                                  ", but devices of class '", client_options.device_class, "' are ",
                                                  device_.architecture, ": give another --target or another --device"));
    }
    TILTH_ASSIGN_OR_RETURN(const std::vector<DeviceStatus> statuses, client_->Devices());
    const auto is_there = [](const DeviceStatus& status) { return status.state != "offline"; };
    PipelineOptions pipeline_options;
    pipeline_options.build_threads = std::clamp(static_cast<int>(AllowedCores().size()), 1, kMostBuildThreads);
    num_devices_ = std::max(1, static_cast<int>(std::count_if(statuses.begin(), statuses.end(), is_there)));
    pipeline_options.devices = num_devices_;
    pipeline_options.artifact_cache = options.artifact_cache;
    pipeline_ = std::make_unique<MeasurePipeline>(client_.get(), pipeline_options);
    return absl::OkStatus();
  }

  StatusOr<Device> WaitDevice(const std::atomic<bool>* stop) {
    for (int64_t waited_ms = 0;; waited_ms += kDeviceWaitStepMs) {
      StatusOr<Device> device = client_->WaitDevice(kDeviceWaitStepMs);
      if (device.ok() || !absl::IsUnavailable(device.status()) || waited_ms >= kDeviceWaitMs) return device;
      if (stop != nullptr && stop->load()) return absl::CancelledError("interrupted while it waited for a device");
      if (waited_ms == kDeviceWaitStepMs) LogWarning("waiting: ", device.status().message());
    }
  }

  const Device& device() const override { return device_; }

  int num_devices() const override { return num_devices_; }

  StatusOr<std::vector<Device>> Devices() override {
    TILTH_ASSIGN_OR_RETURN(const std::vector<DeviceStatus> statuses, client_->Devices());
    std::vector<Device> devices;
    for (const DeviceStatus& status : statuses) devices.push_back(status.device);
    return devices;
  }

  void Enqueue(MeasureJob job) override { pipeline_->Enqueue(std::move(job)); }

  void AddKnown(int task, const std::string& artifact_hash, const std::string& trial_id,
                const MeasureResult& result) override {
    pipeline_->AddKnown(task, artifact_hash, trial_id, result);
  }

  StatusOr<std::vector<MeasureOutcome>> Wait(int64_t timeout_ms) override {
    TILTH_ASSIGN_OR_RETURN(std::vector<MeasureOutcome> outcomes, pipeline_->Wait(timeout_ms));
    for (const MeasureOutcome& outcome : outcomes) {
      if (!outcome.duplicate && !outcome.result.agent_id.empty()) NoteUse(outcome.result);
    }
    return outcomes;
  }

  size_t UnderWay() const override { return pipeline_->UnderWay(); }
  void Cancel() override { pipeline_->Cancel(); }

  DeviceUse Use() const override {
    const double span_s = 1e-9 * static_cast<double>(last_result_ns_ - first_trial_ns_);
    return {.busy_s = busy_s_, .span_s = span_s * static_cast<double>(agents_.size())};
  }

 private:
  Status StartFarm(const Target& target) {
    if (!RunsOnThisMachine(target)) {
      return absl::FailedPreconditionError(
          StrCat("code for target ", target.name,
                 " does not run on this machine: give a --farm and a --device to measure on"));
    }
    EmbeddedFarmOptions farm_options;
    farm_options.measure_core = AllowedCores().back();
    TILTH_ASSIGN_OR_RETURN(embedded_, EmbeddedFarm::Start(farm_options), "starting a farm on this machine");
    // Only after the farm's own threads and processes are there: they keep all cores.
    avoidance_.emplace(farm_options.measure_core);
    return absl::OkStatus();
  }

  void NoteUse(const MeasureResult& result) {
    last_result_ns_ = SystemClock().NowNs();
    if (agents_.empty()) first_trial_ns_ = last_result_ns_ - result.run_ms * 1'000'000;
    agents_.insert(result.agent_id);
    busy_s_ += 1e-3 * static_cast<double>(result.run_ms);
  }

  std::optional<CoreAvoidance> avoidance_;
  // Destroyed in the opposite order: the pipeline uses the client, and the client says good-bye to the farm.
  std::unique_ptr<EmbeddedFarm> embedded_;
  std::unique_ptr<FarmClient> client_;
  std::unique_ptr<MeasurePipeline> pipeline_;
  Device device_;
  int num_devices_ = 1;

  std::set<std::string> agents_;  // that gave results
  int64_t first_trial_ns_ = 0, last_result_ns_ = 0;
  double busy_s_ = 0;
};

}  // namespace

StatusOr<std::unique_ptr<Measurer>> ConnectFarm(const Target& target, const FarmMeasurerOptions& options) {
  auto measurer = std::make_unique<FarmMeasurer>();
  TILTH_RETURN_IF_ERROR(measurer->Connect(target, options));
  return std::unique_ptr<Measurer>(std::move(measurer));
}

}  // namespace tilth
