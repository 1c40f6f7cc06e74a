// Addresses of trackers as people give them: "HOST:PORT".
#pragma once

#include <string>

namespace tilth {

// What is wrong with an address to dial, in words that tell how one looks; empty: nothing. HOST is a host name, an IPv4
// address, or an IPv6 address in brackets.
std::string CheckTrackerAddress(const std::string& address);
// The same for a host alone; an IPv6 address has no brackets then.
std::string CheckHostArgument(const std::string& host);
// The same for an address to listen at, where port 0 is any free one.
std::string CheckListenAddress(const std::string& address);

}  // namespace tilth
