#include "rpc_agent/describe.h"

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/strings.h"
#include "nlohmann/json.hpp"

namespace tilth {
namespace {

// On lines of at most 80 columns, `text` beginning in the same column on each.
std::string Field(const char* name, const std::string& text) {
  constexpr size_t kNameColumns = 15, kTextColumns = 64;
  std::string lines = absl::StrFormat("%-*s", kNameColumns, name);
  std::string rest = text;
  while (rest.size() > kTextColumns) {
    size_t end = rest.rfind(' ', kTextColumns);
    if (end == std::string::npos) end = kTextColumns;
    StrAppend(&lines, rest.substr(0, end), "\n", std::string(kNameColumns, ' '));
    rest.erase(0, rest.find_first_not_of(' ', end));
  }
  return StrCat(lines, rest, "\n");
}

}  // namespace

std::string DescribeForPeople(const Device& device) {
  const std::string zones = absl::StrJoin(device.thermal_zones, ", ");
  return StrCat(Field("host", device.host_name), Field("architecture", device.architecture),
                Field("processor", device.cpu_model), Field("cores", std::to_string(device.cores)),
                Field("memory", absl::StrFormat("%.1f GiB", static_cast<double>(device.memory_bytes) / (1 << 30))),
                Field("peak", absl::StrFormat("%.1f GFLOP/s fp32 on one core", device.peak_gflops)),
                Field("bandwidth", absl::StrFormat("%.1f GB/s on one core", device.bandwidth_gbps)),
                Field("accelerator", device.accelerator.empty() ? "none" : device.accelerator),
                Field("system", StrCat("Linux ", device.kernel_release)),
                Field("temperatures", zones.empty() ? "not readable" : zones), Field("containment", device.sandbox),
                Field("fingerprint", device.fingerprint), Field("features", absl::StrJoin(device.cpu_features, " ")));
}

std::string DescribeAsJson(const Device& device) {
  const nlohmann::ordered_json json = {{"host_name", device.host_name},
                                       {"architecture", device.architecture},
                                       {"cpu_model", device.cpu_model},
                                       {"cpu_features", device.cpu_features},
                                       {"cores", device.cores},
                                       {"memory_bytes", device.memory_bytes},
                                       {"peak_gflops", device.peak_gflops},
                                       {"bandwidth_gbps", device.bandwidth_gbps},
                                       {"accelerator", device.accelerator},
                                       {"kernel_release", device.kernel_release},
                                       {"thermal_zones", device.thermal_zones},
                                       {"sandbox", device.sandbox},
                                       {"fingerprint", device.fingerprint}};
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace tilth
