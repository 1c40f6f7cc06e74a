#include "ir/target.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <map>
#include <thread>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "base/hash.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace tilth {
namespace {

constexpr char kX86Triple[] = "x86_64-unknown-linux-gnu";
constexpr char kArmTriple[] = "aarch64-unknown-linux-gnu";
constexpr char kV3Features[] = "+avx,+avx2,+bmi,+bmi2,+f16c,+fma,+lzcnt,+movbe,+popcnt";
constexpr char kV4Features[] =
    "+avx,+avx2,+avx512bw,+avx512cd,+avx512dq,+avx512f,+avx512vl,+bmi,+bmi2,+f16c,+fma,+lzcnt,+movbe,+popcnt";

Target X86(std::string name, bool avx512) {
  Target t;
  t.name = std::move(name);
  t.triple = kX86Triple;
  t.cpu = avx512 ? "x86-64-v4" : "x86-64-v3";
  t.features = avx512 ? kV4Features : kV3Features;
  t.vector_bytes = avx512 ? 64 : 32;
  t.vector_registers = avx512 ? 32 : 16;
  t.masked_vectors = avx512;
  t.clock_ghz = 3.0;
  t.l1_bytes = 32 << 10;
  t.l2_bytes = 1 << 20;
  t.l3_bytes = 16 << 20;
  return t;
}

Target Arm(std::string name, std::string cpu, int64_t l2_bytes, int64_t l3_bytes, double clock_ghz, int fma_per_cycle) {
  Target t;
  t.name = std::move(name);
  t.arch = Arch::kAArch64;
  t.triple = kArmTriple;
  t.cpu = std::move(cpu);
  t.features = "+neon";
  t.vector_bytes = 16;
  t.vector_registers = 32;
  t.fma_per_cycle = fma_per_cycle;
  t.l1_bytes = 32 << 10;
  t.l2_bytes = l2_bytes;
  t.l3_bytes = l3_bytes;
  t.cores = 4;
  t.clock_ghz = clock_ghz;
  return t;
}

const std::map<std::string, Target>& Presets() {
  static const auto* presets = new std::map<std::string, Target>([] {
    std::map<std::string, Target> p;
    p["x86-64-v3"] = X86("x86-64-v3", false);
    p["x86-64-v4"] = X86("x86-64-v4", true);
    Target sapphire_rapids = X86("sapphirerapids", true);
    sapphire_rapids.l1_bytes = 48 << 10;
    sapphire_rapids.l2_bytes = 2 << 20;
    p["sapphirerapids"] = sapphire_rapids;
    Target zen4 = X86("znver4", true);
    zen4.fma_per_cycle = 1;
    p["znver4"] = zen4;
    p["rpi4"] = Arm("rpi4", "cortex-a72", 256 << 10, 0, 1.5, 1);
    p["rpi5"] = Arm("rpi5", "cortex-a76", 512 << 10, 2 << 20, 2.4, 2);
    p["aarch64"] = Arm("aarch64", "generic", 512 << 10, 0, 2.0, 1);
    return p;
  }());
  return *presets;
}

double NominalClockGhz(double fallback) {
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);) {
    double mhz = 0;
    if (line.rfind("cpu MHz", 0) != 0) continue;
    const size_t colon = line.find(':');
    if (colon != std::string::npos && absl::SimpleAtod(line.substr(colon + 1), &mhz) && mhz > 0) return mhz / 1000;
  }
  return fallback;
}

void ReadCaches(Target* t) {
  auto read = [](int name, int64_t fallback) {
    const int64_t bytes = sysconf(name);
    return bytes > 0 ? bytes : fallback;
  };
  t->l1_bytes = read(_SC_LEVEL1_DCACHE_SIZE, t->l1_bytes);
  t->l2_bytes = read(_SC_LEVEL2_CACHE_SIZE, t->l2_bytes);
  t->l3_bytes = read(_SC_LEVEL3_CACHE_SIZE, t->l3_bytes);
}

StatusOr<Target> NativeTarget() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
    return absl::FailedPreconditionError(
        "this CPU has no AVX2 with FMA; tune for another machine with --farm, or build with --target");
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
  Target t = X86("native", avx512);
  // Cores that split 512-bit operations in two: AMD family 19h.
  unsigned a = 0, b = 0, c = 0, d = 0;
  __get_cpuid(1, &a, &b, &c, &d);
  const unsigned family = ((a >> 8) & 15) + ((a >> 20) & 255);
  if (avx512 && family == 0x19) t.fma_per_cycle = 1;
#else
  Target t = Arm("native", "generic", 512 << 10, 0, 2.0, 2);
#endif
  t.cores = std::max(1u, std::thread::hardware_concurrency());
  t.clock_ghz = NominalClockGhz(t.clock_ghz);
  ReadCaches(&t);
  return t;
}

// One named field of a Target as text and back.
struct Field {
  std::string key;
  bool changes_code;
  std::function<std::string(const Target&)> print;
  std::function<bool(std::string_view, Target*)> parse;
};

template <typename T>
Field IntegerField(std::string key, bool changes_code, T Target::* member) {
  return {std::move(key), changes_code, [member](const Target& t) { return std::to_string(t.*member); },
          [member](std::string_view text, Target* t) {
            int64_t value = 0;
            if (!absl::SimpleAtoi(absl::string_view(text.data(), text.size()), &value) || value < 0 ||
                value > (int64_t{1} << 40))
              return false;
            t->*member = static_cast<T>(value);
            return true;
          }};
}

const std::vector<Field>& Fields() {
  static const auto* fields = new std::vector<Field>{
      {"arch", true, [](const Target& t) { return std::string(t.arch == Arch::kX86_64 ? "x86_64" : "aarch64"); },
       [](std::string_view text, Target* t) {
         if (text != "x86_64" && text != "aarch64") return false;
         t->arch = text == "x86_64" ? Arch::kX86_64 : Arch::kAArch64;
         t->triple = t->arch == Arch::kX86_64 ? kX86Triple : kArmTriple;
         return true;
       }},
      {"cpu", true, [](const Target& t) { return t.cpu; },
       [](std::string_view text, Target* t) {
         t->cpu = std::string(text);
         return !text.empty();
       }},
      {"features", true,
       [](const Target& t) {
         std::vector<std::string> names;
         for (auto name : absl::StrSplit(t.features, ',', absl::SkipEmpty()))
           names.emplace_back(name.substr(name[0] == '+' ? 1 : 0));
         std::sort(names.begin(), names.end());
         std::string text;
         for (const std::string& name : names) text += (text.empty() ? "" : "+") + name;
         return text;
       },
       [](std::string_view text, Target* t) {
         t->features.clear();
         for (auto name : absl::StrSplit(absl::string_view(text.data(), text.size()), '+', absl::SkipEmpty()))
           t->features += (t->features.empty() ? "+" : ",+") + std::string(name);
         return true;
       }},
      IntegerField("vector_bytes", true, &Target::vector_bytes),
      IntegerField("vector_registers", true, &Target::vector_registers),
      {"masked_vectors", true, [](const Target& t) { return std::string(t.masked_vectors ? "1" : "0"); },
       [](std::string_view text, Target* t) {
         t->masked_vectors = text == "1";
         return text == "0" || text == "1";
       }},
      IntegerField("l1_bytes", true, &Target::l1_bytes),
      IntegerField("l2_bytes", true, &Target::l2_bytes),
      IntegerField("l3_bytes", false, &Target::l3_bytes),
      IntegerField("cores", false, &Target::cores),
      IntegerField("fma_per_cycle", false, &Target::fma_per_cycle),
      {"clock_ghz", false, [](const Target& t) { return absl::StrFormat("%g", t.clock_ghz); },
       [](std::string_view text, Target* t) {
         return absl::SimpleAtod(absl::string_view(text.data(), text.size()), &t->clock_ghz) && t->clock_ghz > 0;
       }},
  };
  return *fields;
}

std::string KeyList() {
  std::string keys;
  for (const Field& field : Fields()) keys += (keys.empty() ? "" : ", ") + field.key;
  return keys;
}

Status CheckPlausible(const Target& t, std::string_view text) {
  const bool power_of_two = t.vector_bytes >= 8 && (t.vector_bytes & (t.vector_bytes - 1)) == 0;
  if (!power_of_two || t.vector_bytes > 256 || t.vector_registers < 4 || t.vector_registers > 256 || t.cores < 1)
    return absl::InvalidArgumentError(
        StrCat("target '", text,
               "': vector_bytes must be a power of two in 8…256, vector_registers in 4…256, cores at least 1"));
  return absl::OkStatus();
}

}  // namespace

std::vector<std::string> TargetPresets() {
  std::vector<std::string> names = {"native"};
  for (const auto& [name, target] : Presets()) names.push_back(name);
  return names;
}

StatusOr<Target> ParseTarget(std::string_view text) {
  std::vector<std::string> parts = absl::StrSplit(absl::string_view(text.data(), text.size()), ',');
  Target target;
  size_t first_override = 0;
  if (parts[0].find('=') == std::string::npos) {
    first_override = 1;
    if (const auto preset = Presets().find(parts[0]); preset != Presets().end()) {
      target = preset->second;
    } else if (parts[0] == "native" || parts[0].empty()) {
      TILTH_ASSIGN_OR_RETURN(target, NativeTarget());
    } else {
      std::string names;
      for (const std::string& name : TargetPresets()) names += (names.empty() ? "" : ", ") + name;
      return absl::InvalidArgumentError(
          StrCat("unknown target '", parts[0], "'; known: ", names, "; or KEY=VALUE,… with keys ", KeyList()));
    }
  } else {
    TILTH_ASSIGN_OR_RETURN(target, NativeTarget());
  }
  for (size_t i = first_override; i < parts.size(); ++i) {
    const size_t equals = parts[i].find('=');
    const std::string key = parts[i].substr(0, equals);
    const auto field = std::find_if(Fields().begin(), Fields().end(), [&](const Field& f) { return f.key == key; });
    if (equals == std::string::npos || field == Fields().end())
      return absl::InvalidArgumentError(StrCat("target: unknown key in '", parts[i], "'; keys are ", KeyList()));
    if (!field->parse(std::string_view(parts[i]).substr(equals + 1), &target))
      return absl::InvalidArgumentError(StrCat("target: bad value in '", parts[i], "'"));
    target.name = std::string(text);
  }
  TILTH_RETURN_IF_ERROR(CheckPlausible(target, text));
  return target;
}

int FmasPerCycle(const Target& target, int lanes) {
  const int widest = target.vector_bytes / static_cast<int>(sizeof(float));
  const int pieces = std::max(1, widest / std::max(1, lanes));
  return std::max({1, target.fma_per_cycle, std::min(2, target.fma_per_cycle * pieces)});
}

bool RunsOnThisMachine(const Target& target) {
  const StatusOr<Target> native = NativeTarget();
  if (!native.ok() || native->arch != target.arch || target.vector_bytes > native->vector_bytes) return false;
  std::vector<std::string> have = absl::StrSplit(native->features, ',');
  for (auto feature : absl::StrSplit(target.features, ',', absl::SkipEmpty()))
    if (std::find(have.begin(), have.end(), feature) == have.end()) return false;
  return true;
}

std::string ToText(const Target& target) {
  std::string text;
  for (const Field& field : Fields())
    if (field.changes_code) text += StrCat(field.key, "=", field.print(target), "\n");
  return text;
}

std::string TargetHash(const Target& target) { return ContentHash(ToText(target)); }

}  // namespace tilth
