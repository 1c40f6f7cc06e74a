#include "proto/convert.h"

#include "base/utf8.h"
#include "proto/measure.pb.h"

namespace tilth {

void ToProto(const Trial& trial, proto::Trial* message) {
  message->set_trial_id(trial.trial_id);
  message->set_artifact_hash(trial.artifact_hash);
  message->set_baseline_hash(trial.baseline_hash);
  message->set_seed(trial.seed);
  for (const Tolerance& tolerance : trial.tolerances) {
    proto::Tolerance* added = message->add_tolerances();
    added->set_rtol(tolerance.rtol);
    added->set_atol(tolerance.atol);
  }
  for (int64_t bound : trial.value_bounds) message->add_value_bounds(bound);
  proto::MeasureOptions* options = message->mutable_options();
  options->set_min_repeats(trial.options.min_repeats);
  options->set_max_repeats(trial.options.max_repeats);
  options->set_target_relative_ci(trial.options.target_relative_ci);
  options->set_warmup_ns(trial.options.warmup_ns);
  options->set_time_budget_ns(trial.options.time_budget_ns);
  options->set_min_sample_ns(trial.options.min_sample_ns);
  options->set_best_so_far_ns(trial.options.best_so_far_ns);
  options->set_racing_factor(trial.options.racing_factor);
  message->set_flops(trial.flops);
  message->set_run_deadline_ms(trial.run_deadline_ms);
  message->set_queue_deadline_ms(trial.queue_deadline_ms);
  message->set_transfer_deadline_ms(trial.transfer_deadline_ms);
  message->set_note(trial.note);
  message->set_together(trial.together);
}

Trial FromProto(const proto::Trial& message) {
  Trial trial;
  trial.trial_id = message.trial_id();
  trial.artifact_hash = message.artifact_hash();
  trial.baseline_hash = message.baseline_hash();
  trial.seed = message.seed();
  for (const proto::Tolerance& tolerance : message.tolerances()) {
    trial.tolerances.push_back({.rtol = tolerance.rtol(), .atol = tolerance.atol()});
  }
  trial.value_bounds.assign(message.value_bounds().begin(), message.value_bounds().end());
  const proto::MeasureOptions& options = message.options();
  trial.options = {.min_repeats = options.min_repeats(),
                   .max_repeats = options.max_repeats(),
                   .target_relative_ci = options.target_relative_ci(),
                   .warmup_ns = options.warmup_ns(),
                   .time_budget_ns = options.time_budget_ns(),
                   .min_sample_ns = options.min_sample_ns(),
                   .best_so_far_ns = options.best_so_far_ns(),
                   .racing_factor = options.racing_factor()};
  trial.flops = message.flops();
  trial.run_deadline_ms = message.run_deadline_ms();
  trial.queue_deadline_ms = message.queue_deadline_ms();
  trial.transfer_deadline_ms = message.transfer_deadline_ms();
  trial.note = message.note();
  trial.together = message.together();
  return trial;
}

void ToProto(const MeasureResult& result, proto::MeasureResult* message) {
  message->set_trial_id(result.trial_id);
  message->set_error(static_cast<proto::MeasureErrorKind>(result.error));
  message->set_detail(ValidUtf8(result.detail));
  message->set_status_code(static_cast<int>(result.status.code()));
  message->set_status_message(ValidUtf8(ToStd(result.status.message())));
  message->mutable_samples_ns()->Assign(result.samples_ns.begin(), result.samples_ns.end());
  message->set_median_ns(result.median_ns);
  message->set_spread(result.spread);
  message->set_dropped_samples(result.dropped_samples);
  message->set_beaten(result.beaten);
  message->set_max_abs_error(result.max_abs_error);
  ToProto(result.health, message->mutable_health());
  message->set_device_fingerprint(result.device_fingerprint);
  message->set_agent_id(result.agent_id);
  message->set_queue_ms(result.queue_ms);
  message->set_transfer_ms(result.transfer_ms);
  message->set_run_ms(result.run_ms);
  message->set_attempts(result.attempts);
  message->set_note(result.note);
}

MeasureResult FromProto(const proto::MeasureResult& message) {
  MeasureResult result;
  result.trial_id = message.trial_id();
  result.detail = message.detail();
  result.status = Status(static_cast<absl::StatusCode>(message.status_code()), message.status_message());
  if (message.error() >= 0 && message.error() < kNumMeasureErrorKinds) {
    result.error = static_cast<MeasureErrorKind>(message.error());
  } else {
    result.status = absl::InternalError(
        StrCat("the farm reported an error kind that this version does not know (", message.error(), ")"));
  }
  result.samples_ns.assign(message.samples_ns().begin(), message.samples_ns().end());
  result.median_ns = message.median_ns();
  result.spread = message.spread();
  result.dropped_samples = message.dropped_samples();
  result.beaten = message.beaten();
  result.max_abs_error = message.max_abs_error();
  result.health = FromProto(message.health());
  result.device_fingerprint = message.device_fingerprint();
  result.agent_id = message.agent_id();
  result.queue_ms = message.queue_ms();
  result.transfer_ms = message.transfer_ms();
  result.run_ms = message.run_ms();
  result.attempts = message.attempts();
  result.note = message.note();
  return result;
}

void ToProto(const DeviceHealth& health, proto::DeviceHealth* message) {
  message->set_canary_ratio(health.canary_ratio);
  message->set_canary_spread(health.canary_spread);
  message->set_canary_lost(health.canary_lost);
  message->set_temperature_c(health.temperature_c);
  message->set_frequency_mhz(health.frequency_mhz);
  message->set_throttled(health.throttled);
  message->set_throttling_readable(health.throttling_readable);
  message->set_measured_unix_ms(health.measured_unix_ms);
}

DeviceHealth FromProto(const proto::DeviceHealth& message) {
  return {.canary_ratio = message.canary_ratio(),
          .canary_spread = message.canary_spread(),
          .canary_lost = message.canary_lost(),
          .temperature_c = message.temperature_c(),
          .frequency_mhz = message.frequency_mhz(),
          .throttled = message.throttled(),
          .throttling_readable = message.throttling_readable(),
          .measured_unix_ms = message.measured_unix_ms()};
}

void ToProto(const Device& device, proto::Device* message) {
  message->set_fingerprint(device.fingerprint);
  message->set_device_class(device.device_class);
  message->set_host_name(ValidUtf8(device.host_name));
  message->set_architecture(device.architecture);
  message->set_cpu_model(ValidUtf8(device.cpu_model));
  for (const std::string& feature : device.cpu_features) message->add_cpu_features(feature);
  message->set_cores(device.cores);
  message->set_memory_bytes(device.memory_bytes);
  message->set_peak_gflops(device.peak_gflops);
  message->set_bandwidth_gbps(device.bandwidth_gbps);
  message->set_kernel_release(device.kernel_release);
  for (const std::string& zone : device.thermal_zones) message->add_thermal_zones(zone);
  message->set_sandbox(device.sandbox);
  message->set_accelerator(device.accelerator);
}

Device FromProto(const proto::Device& message) {
  Device device;
  device.fingerprint = message.fingerprint();
  device.device_class = message.device_class();
  device.host_name = message.host_name();
  device.architecture = message.architecture();
  device.cpu_model = message.cpu_model();
  device.cpu_features.assign(message.cpu_features().begin(), message.cpu_features().end());
  device.cores = message.cores();
  device.memory_bytes = message.memory_bytes();
  device.peak_gflops = message.peak_gflops();
  device.bandwidth_gbps = message.bandwidth_gbps();
  device.kernel_release = message.kernel_release();
  device.thermal_zones.assign(message.thermal_zones().begin(), message.thermal_zones().end());
  device.sandbox = message.sandbox();
  device.accelerator = message.accelerator();
  return device;
}

}  // namespace tilth
