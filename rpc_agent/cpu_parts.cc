#include "rpc_agent/cpu_parts.h"

#include <algorithm>
#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/strings.h"

namespace tilth {
namespace {

using Fields = std::map<std::string, std::string>;

struct ArmPart {
  const char *implementer, *part, *name;
};

// From the technical reference manuals (MIDR_EL1), those that boards and servers have.
constexpr ArmPart kArmParts[] = {
    {"0x41", "0xc07", "Cortex-A7"},    {"0x41", "0xc09", "Cortex-A9"},   {"0x41", "0xc0f", "Cortex-A15"},
    {"0x41", "0xd03", "Cortex-A53"},   {"0x41", "0xd04", "Cortex-A35"},  {"0x41", "0xd05", "Cortex-A55"},
    {"0x41", "0xd07", "Cortex-A57"},   {"0x41", "0xd08", "Cortex-A72"},  {"0x41", "0xd09", "Cortex-A73"},
    {"0x41", "0xd0a", "Cortex-A75"},   {"0x41", "0xd0b", "Cortex-A76"},  {"0x41", "0xd0c", "Neoverse-N1"},
    {"0x41", "0xd0d", "Cortex-A77"},   {"0x41", "0xd40", "Neoverse-V1"}, {"0x41", "0xd41", "Cortex-A78"},
    {"0x41", "0xd42", "Cortex-A78AE"}, {"0x41", "0xd44", "Cortex-X1"},   {"0x41", "0xd46", "Cortex-A510"},
    {"0x41", "0xd47", "Cortex-A710"},  {"0x41", "0xd48", "Cortex-X2"},   {"0x41", "0xd49", "Neoverse-N2"},
    {"0x41", "0xd4d", "Cortex-A715"},  {"0x41", "0xd4f", "Neoverse-V2"}, {"0x41", "0xd80", "Cortex-A520"},
    {"0x41", "0xd81", "Cortex-A720"},  {"0x4e", "0x004", "Carmel"},      {"0xc0", "0xac3", "Ampere-1"},
};

std::string NameOf(Fields& fields) {
  if (!fields["model name"].empty()) return fields["model name"];
  for (const ArmPart& known : kArmParts) {
    if (fields["CPU implementer"] == known.implementer && fields["CPU part"] == known.part) return known.name;
  }
  return StrCat("ARM part ", fields["CPU implementer"], "/", fields["CPU part"]);
}

std::string IdentityOf(Fields& fields) {
  std::vector<std::string> numbers;
  for (const char* key :
       {"CPU implementer", "CPU part", "CPU variant", "vendor_id", "cpu family", "model", "stepping"}) {
    if (!fields[key].empty()) numbers.push_back(fields[key]);
  }
  return absl::StrJoin(numbers, "/");
}

void AddCore(Fields& fields, std::vector<CpuPart>* parts) {
  int core = 0;
  // What stands after the cores (Hardware, Serial, Model) is no core.
  if (!absl::SimpleAtoi(fields["processor"], &core)) return;
  if (fields["CPU part"].empty() && fields["model name"].empty()) return;
  const std::string identity = IdentityOf(fields);
  auto part = std::find_if(parts->begin(), parts->end(), [&](const CpuPart& p) { return p.identity == identity; });
  if (part == parts->end()) part = parts->insert(part, CpuPart{NameOf(fields), identity, {}});
  part->cores.push_back(core);
}

}  // namespace

std::vector<CpuPart> ParseCpuParts(std::string_view cpuinfo) {
  std::vector<CpuPart> parts;
  Fields fields;
  for (absl::string_view line : absl::StrSplit(ToAbsl(cpuinfo), '\n')) {
    const std::pair<absl::string_view, absl::string_view> field = absl::StrSplit(line, absl::MaxSplits(':', 1));
    const std::string key(ToStd(absl::StripAsciiWhitespace(field.first)));
    if (key == "processor") {
      AddCore(fields, &parts);
      fields.clear();
    }
    if (!key.empty()) fields.emplace(key, std::string(ToStd(absl::StripAsciiWhitespace(field.second))));
  }
  AddCore(fields, &parts);
  return parts;
}

std::string CpuInfoField(std::string_view cpuinfo, std::string_view key) {
  for (absl::string_view line : absl::StrSplit(ToAbsl(cpuinfo), '\n')) {
    const std::pair<absl::string_view, absl::string_view> field = absl::StrSplit(line, absl::MaxSplits(':', 1));
    if (ToStd(absl::StripAsciiWhitespace(field.first)) == key) {
      return std::string(ToStd(absl::StripAsciiWhitespace(field.second)));
    }
  }
  return "";
}

std::string DescribeParts(const std::vector<CpuPart>& parts) {
  const bool by_word = parts.size() == 1 && parts[0].identity.find("0x") != 0;
  if (by_word) return parts[0].name;
  return absl::StrJoin(parts, " + ", [](std::string* text, const CpuPart& part) {
    StrAppend(text, part.cores.size(), " x ", part.name);
  });
}

}  // namespace tilth
