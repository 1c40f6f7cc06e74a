#include "proto/address.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "base/status.h"
#include "proto/names.h"

namespace tilth {
namespace {

constexpr int kLargestPort = 65'535;
constexpr char kForm[] = "give HOST:PORT, as in ";

bool IsHostCharacter(unsigned char c) { return absl::ascii_isalnum(c) || c == '-' || c == '.' || c == '_'; }
// Of an IPv6 address with its zone: fe80::1%eth0.
bool IsInBrackets(unsigned char c) { return IsHostCharacter(c) || c == ':' || c == '%'; }

std::string HostFault(const std::string& host) {
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  const std::string inner = bracketed ? host.substr(1, host.size() - 2) : host;
  if (!inner.empty() && std::all_of(inner.begin(), inner.end(), bracketed ? IsInBrackets : IsHostCharacter)) return "";
  return StrCat("'", Printable(host), "' is no host name and no address of one");
}

std::string AddressFault(const std::string& address, int smallest_port) {
  if (address.empty()) return StrCat("it is empty; ", kForm, "lab:9190");
  if (const size_t scheme = address.find("://"); scheme != std::string::npos) {
    return StrCat("'", Printable(address), "' is no address but a link; leave '",
                  Printable(address.substr(0, scheme + 3)), "' out: ", kForm, "lab:9190");
  }
  const size_t colon = address.rfind(':');
  const bool bare_ipv6 = address.front() != '[' && std::count(address.begin(), address.end(), ':') > 1;
  if (bare_ipv6) {
    return StrCat("'", Printable(address), "' is ambiguous: an IPv6 address goes into brackets, as in [::1]:9190");
  }
  if (colon == std::string::npos || address.back() == ']') {
    const std::string host = colon == std::string::npos ? HostFault(address) : "";
    return host.empty() ? StrCat("'", address, "' has no port; ", kForm, address, ":9190") : host;
  }
  if (std::string fault = HostFault(address.substr(0, colon)); !fault.empty()) return fault;
  const std::string digits = address.substr(colon + 1);
  int port = -1;
  const bool number = absl::SimpleAtoi(digits, &port) && std::all_of(digits.begin(), digits.end(), absl::ascii_isdigit);
  if (number && port >= smallest_port && port <= kLargestPort) return "";
  return StrCat("'", Printable(digits), "' is no port; ports are ", smallest_port, " to ", kLargestPort, ": ", kForm,
                address.substr(0, colon), ":9190");
}

}  // namespace

std::string CheckHostArgument(const std::string& host) {
  const auto colons = std::count(host.begin(), host.end(), ':');
  if (colons == 1) return StrCat("'", Printable(host), "' has a port; give the host alone");
  return HostFault(colons > 1 ? StrCat("[", host, "]") : host);
}

std::string CheckTrackerAddress(const std::string& address) { return AddressFault(address, 1); }
std::string CheckListenAddress(const std::string& address) { return AddressFault(address, 0); }

}  // namespace tilth
