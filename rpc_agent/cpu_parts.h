// What processors a machine has, from the text of /proc/cpuinfo. A board may have cores of several kinds, and the text
// names them by numbers on ARM and by words on x86.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tilth {

struct CpuPart {
  std::string name;      // "Cortex-A72", "AMD EPYC 9754", "ARM part 0x41/0xd99"
  std::string identity;  // the numbers that tell it from others: implementer, part and variant; family, model, stepping
  std::vector<int> cores;
};

// In the order of their first core. Empty where the text says nothing.
std::vector<CpuPart> ParseCpuParts(std::string_view cpuinfo);

// The value of the first "key : value" line with this key; "" if there is none.
std::string CpuInfoField(std::string_view cpuinfo, std::string_view key);

// "4 x Cortex-A76 + 4 x Cortex-A55"; a single kind of core without a count, for its name says what it is.
std::string DescribeParts(const std::vector<CpuPart>& parts);

}  // namespace tilth
