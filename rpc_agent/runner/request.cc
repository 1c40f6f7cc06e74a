#include "rpc_agent/runner/request.h"

#include "nlohmann/json.hpp"

namespace tilth::runner {
namespace {

using Json = nlohmann::json;

// Details may hold whatever a kernel printed.
std::string Dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

template <typename T, typename Read>
std::optional<T> Parse(const std::string& text, Read read) {
  try {
    T value;
    read(Json::parse(text), value);
    return value;
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

Json LoopToJson(const MeasureLoopOptions& loop) {
  return {{"min_repeats", loop.min_repeats},
          {"max_repeats", loop.max_repeats},
          {"target_relative_ci", loop.target_relative_ci},
          {"warmup_ns", loop.warmup_ns},
          {"time_budget_ns", loop.time_budget_ns},
          {"min_sample_ns", loop.min_sample_ns},
          {"best_so_far_ns", loop.best_so_far_ns},
          {"racing_factor", loop.racing_factor}};
}

void LoopFromJson(const Json& json, MeasureLoopOptions& loop) {
  json.at("min_repeats").get_to(loop.min_repeats);
  json.at("max_repeats").get_to(loop.max_repeats);
  json.at("target_relative_ci").get_to(loop.target_relative_ci);
  json.at("warmup_ns").get_to(loop.warmup_ns);
  json.at("time_budget_ns").get_to(loop.time_budget_ns);
  json.at("min_sample_ns").get_to(loop.min_sample_ns);
  json.at("best_so_far_ns").get_to(loop.best_so_far_ns);
  json.at("racing_factor").get_to(loop.racing_factor);
}

}  // namespace

std::string FormatRequest(const KernelRequest& request) {
  Json tolerances = Json::array();
  for (const OutputTolerance& tolerance : request.tolerances) tolerances.push_back({tolerance.rtol, tolerance.atol});
  return Dump({{"artifact_path", request.artifact_path},
               {"expected_path", request.expected_path},
               {"seed", request.seed},
               {"tolerances", tolerances},
               {"value_bounds", request.value_bounds},
               {"core", request.core},
               {"expected_gflops", request.expected_gflops},
               {"loop", LoopToJson(request.loop)}});
}

std::optional<KernelRequest> ParseRequest(const std::string& text) {
  return Parse<KernelRequest>(text, [](const Json& json, KernelRequest& request) {
    json.at("artifact_path").get_to(request.artifact_path);
    json.at("expected_path").get_to(request.expected_path);
    json.at("seed").get_to(request.seed);
    for (const Json& pair : json.at("tolerances")) request.tolerances.push_back({pair.at(0), pair.at(1)});
    json.at("value_bounds").get_to(request.value_bounds);
    json.at("core").get_to(request.core);
    json.at("expected_gflops").get_to(request.expected_gflops);
    LoopFromJson(json.at("loop"), request.loop);
  });
}

std::string FormatReply(const KernelReply& reply) {
  return Dump({{"error", reply.error},
               {"detail", reply.detail},
               {"samples_ns", reply.times.samples_ns},
               {"median_ns", reply.times.median_ns},
               {"spread", reply.times.spread},
               {"dropped_samples", reply.times.dropped_samples},
               {"beaten", reply.times.beaten},
               {"max_abs_error", reply.max_abs_error},
               {"canary_gflops", reply.canary_gflops}});
}

std::optional<KernelReply> ParseReply(const std::string& text) {
  return Parse<KernelReply>(text, [](const Json& json, KernelReply& reply) {
    json.at("error").get_to(reply.error);
    json.at("detail").get_to(reply.detail);
    json.at("samples_ns").get_to(reply.times.samples_ns);
    json.at("median_ns").get_to(reply.times.median_ns);
    json.at("spread").get_to(reply.times.spread);
    json.at("dropped_samples").get_to(reply.times.dropped_samples);
    json.at("beaten").get_to(reply.times.beaten);
    json.at("max_abs_error").get_to(reply.max_abs_error);
    json.at("canary_gflops").get_to(reply.canary_gflops);
  });
}

std::string FormatPeak(const PeakReply& reply) {
  return Dump({{"gflops", reply.gflops}, {"bandwidth_gbps", reply.bandwidth_gbps}});
}

std::optional<PeakReply> ParsePeak(const std::string& text) {
  return Parse<PeakReply>(text, [](const Json& json, PeakReply& reply) {
    json.at("gflops").get_to(reply.gflops);
    json.at("bandwidth_gbps").get_to(reply.bandwidth_gbps);
  });
}

std::string FormatProbe(const ProbeReply& reply) {
  return Dump({{"architecture", reply.architecture}, {"sandbox", reply.sandbox}});
}

std::optional<ProbeReply> ParseProbe(const std::string& text) {
  return Parse<ProbeReply>(text, [](const Json& json, ProbeReply& reply) {
    json.at("architecture").get_to(reply.architecture);
    json.at("sandbox").get_to(reply.sandbox);
  });
}

std::string FormatCanaryRequest(const CanaryRequest& request) {
  return Dump({{"core", request.core}, {"expected_gflops", request.expected_gflops}});
}

std::optional<CanaryRequest> ParseCanaryRequest(const std::string& text) {
  return Parse<CanaryRequest>(text, [](const Json& json, CanaryRequest& request) {
    json.at("core").get_to(request.core);
    json.at("expected_gflops").get_to(request.expected_gflops);
  });
}

std::string FormatCanary(const CanaryReading& reading) {
  return Dump({{"gflops", reading.gflops}, {"spread", reading.spread}, {"lost", reading.lost}});
}

std::optional<CanaryReading> ParseCanary(const std::string& text) {
  return Parse<CanaryReading>(text, [](const Json& json, CanaryReading& reading) {
    json.at("gflops").get_to(reading.gflops);
    json.at("spread").get_to(reading.spread);
    json.at("lost").get_to(reading.lost);
  });
}

}  // namespace tilth::runner
