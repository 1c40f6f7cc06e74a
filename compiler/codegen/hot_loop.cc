#include "compiler/codegen/hot_loop.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/str_format.h"
#include "compiler/codegen/codegen.h"
#include "compiler/codegen/machine_loops.h"
#include "compiler/codegen/machine_parser.h"

namespace tilth {
namespace {

// Lanes of an f32 multiply-add by LLVM's name for the instruction; 0: it is none.
int FmaLanes(llvm::StringRef name) {
  if (name.starts_with("VFMADD") || name.starts_with("VFNMADD")) {
    if (name.contains("SS")) return 1;
    if (!name.contains("PS")) return 0;
    if (name.contains("PSZ256") || name.contains("PSY")) return 8;
    if (name.contains("PSZ128") || !name.contains("PSZ")) return 4;
    return 16;
  }
  if (name.starts_with("FMLAv4f32") || name.starts_with("FMLAv4i32") || name.starts_with("FMLSv4f32")) return 4;
  if (name.starts_with("FMLAv2f32") || name.starts_with("FMLAv2i32")) return 2;
  return name == "FMADDSrrr" || name.starts_with("FMLAv1i32") ? 1 : 0;
}

int WidestFma(const MachineParser& parser, const std::vector<llvm::MCInst>& instructions) {
  int lanes = 0;
  for (const llvm::MCInst& instruction : instructions) lanes = std::max(lanes, FmaLanes(parser.NameOf(instruction)));
  return lanes;
}

// Multiply-adds per cycle when there is nothing else to do and nothing to wait for.
StatusOr<double> PeakFmaPerCycle(MachineParser& parser, const Target& target, int lanes) {
  constexpr int kChains = 14;  // more than any latency times throughput needs; fits the registers of all targets
  std::string text;
  for (int i = 0; i < kChains; ++i) {
    if (target.arch == Arch::kAArch64) {
      absl::StrAppendFormat(&text, lanes == 4 ? "fmla v%d.4s, v14.4s, v15.4s\n" : "fmla v%d.2s, v14.2s, v15.2s\n", i);
    } else {
      const char* file = lanes == 16 ? "zmm" : lanes == 8 ? "ymm" : "xmm";
      absl::StrAppendFormat(&text, "vfmadd231ps %%%s14, %%%s15, %%%s%d\n", file, file, file, i);
    }
  }
  TILTH_ASSIGN_OR_RETURN(const ParsedAssembly code, parser.Parse(text));
  TILTH_ASSIGN_OR_RETURN(const double cycles, parser.CyclesPerIteration(code.instructions));
  return kChains / cycles;
}

StatusOr<HotLoop> Describe(MachineParser& parser, const Target& target, const std::vector<llvm::MCInst>& body) {
  HotLoop loop;
  loop.fma_lanes = WidestFma(parser, body);
  for (const llvm::MCInst& instruction : body) {
    loop.assembly.push_back(parser.ToText(instruction));
    loop.fma_instructions += loop.fma_lanes > 0 && FmaLanes(parser.NameOf(instruction)) == loop.fma_lanes;
    if (!parser.UsesStackPointer(instruction)) continue;
    loop.stack_loads += parser.DescriptionOf(instruction).mayLoad();
    loop.stack_stores += parser.DescriptionOf(instruction).mayStore();
  }
  TILTH_ASSIGN_OR_RETURN(loop.cycles_per_iteration, parser.CyclesPerIteration(body));
  loop.fma_per_cycle = loop.fma_instructions / loop.cycles_per_iteration;
  if (loop.fma_lanes > 0) {
    TILTH_ASSIGN_OR_RETURN(loop.peak_fma_per_cycle, PeakFmaPerCycle(parser, target, loop.fma_lanes));
  }
  return loop;
}

}  // namespace

StatusOr<HotLoop> FindHotLoop(const std::string& assembly, const Target& target) {
  TILTH_ASSIGN_OR_RETURN(const std::unique_ptr<MachineParser> parser, MachineParser::Create(target));
  TILTH_ASSIGN_OR_RETURN(const ParsedAssembly code, parser->Parse(assembly));
  std::vector<llvm::MCInst> hottest;
  std::tuple<int, int, int64_t> most_work;
  for (const MachineLoop& loop : InnermostLoops(code)) {
    std::vector<llvm::MCInst> body;
    for (const size_t i : loop.instructions) body.push_back(code.instructions[i]);
    const auto size = static_cast<int64_t>(body.size());
    int lanes = 0;
    for (const llvm::MCInst& instruction : body) lanes += FmaLanes(parser->NameOf(instruction));
    // Code for the border of an image has fewer loops or more instructions for the same work than that for its inside.
    const std::tuple<int, int, int64_t> work =
        lanes > 0 ? std::tuple(loop.depth + 1, lanes, -size) : std::tuple(0, 0, size);
    if (!hottest.empty() && work <= most_work) continue;
    most_work = work;
    hottest = std::move(body);
  }
  if (hottest.empty()) return absl::NotFoundError("the kernel has no loop");
  return Describe(*parser, target, hottest);
}

StatusOr<HotLoop> FindHotLoop(const LoopProgram& program, const Target& target) {
  TILTH_ASSIGN_OR_RETURN(const std::string assembly, GenerateAssembly(program, target));
  return FindHotLoop(assembly, target);
}

}  // namespace tilth
