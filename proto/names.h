// What may go over the wire as a name: of a device, a class, a user, a tag, a session. Both ends hold to it: programs
// when they read their arguments, the tracker with everything that it gets.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tilth {

inline constexpr size_t kMaxNameBytes = 128;

// What is wrong with it, to go after the name of what it is: "'a\x07' has control characters", "has 200 bytes, at most
// 128 are allowed". Empty: nothing. An empty name is a name here.
std::string NameFault(std::string_view name, size_t max_bytes = kMaxNameBytes);

// Whether it may stand in a certificate, in a path and in a command line without quotes: 1 to 64 letters, digits and
// the characters . _ @ + -, not begun by -. Names of people, agents' ids and device classes are such.
bool IsPlainName(std::string_view name);

// NameFault for an argument of a command line, which must not be empty.
std::string CheckNameArgument(const std::string& name);
// For one that must be an IsPlainName.
std::string CheckPlainNameArgument(const std::string& name);

// Whether an operator who says `text` means this device: its host, its agent id or how that begins, or both, as
// `tilth farm devices` tells the devices of one host apart: HOST/BEGINNING.
bool MeansDevice(std::string_view text, std::string_view host_name, std::string_view agent_id);

// For log lines and messages: control characters and whatever is not ASCII escaped, at most 100 characters.
std::string Printable(std::string_view text);

}  // namespace tilth
