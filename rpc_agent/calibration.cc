#include "rpc_agent/calibration.h"

#include "base/files.h"
#include "nlohmann/json.hpp"

namespace tilth {

using Json = nlohmann::json;

std::optional<Calibration> LoadCalibration(const std::string& path, const std::string& key) {
  const StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return std::nullopt;
  try {
    const Json json = Json::parse(*text);
    Calibration calibration{.peak_gflops = json.at("peak_gflops"), .bandwidth_gbps = json.at("bandwidth_gbps")};
    if (json.at("key") != key || !(calibration.peak_gflops > 0)) return std::nullopt;
    return calibration;
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

Status StoreCalibration(const std::string& path, const std::string& key, const Calibration& calibration) {
  const Json json = {
      {"key", key}, {"peak_gflops", calibration.peak_gflops}, {"bandwidth_gbps", calibration.bandwidth_gbps}};
  return Annotate(WriteFileAtomically(path, json.dump(2) + "\n"), "keeping the calibration");
}

}  // namespace tilth
