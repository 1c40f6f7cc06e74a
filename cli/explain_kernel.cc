// `tilth explain-kernel`: the loops, the machine code and the static throughput of the kernels of a model.
#include <algorithm>
#include <charconv>
#include <iostream>
#include <memory>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "base/files.h"
#include "cli/commands.h"
#include "cli/model_arguments.h"
#include "cli/table.h"
#include "compiler/explain_kernel.h"
#include "cost_model/features.h"
#include "db/tuning_log.h"
#include "nlohmann/json.hpp"
#include "tuner/selection.h"

namespace tilth {
namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  ModelArguments model;
  std::string kernel, log, decisions;
  int predict = 0;
  bool json = false;
};

struct Explained {
  std::string name;
  Selection selection;
  KernelExplanation explanation;
};

struct Workloads {
  std::vector<Workload> list;
  Target target;
};

// MODEL is an ONNX file, or a workload as text.
StatusOr<Workloads> LoadWorkloads(const ModelArguments& arguments) {
  Workloads workloads;
  TILTH_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(arguments.model));
  if (bytes.starts_with("tilth workload")) {
    TILTH_ASSIGN_OR_RETURN(workloads.target, ParseTarget(arguments.target), "--target ", arguments.target);
    TILTH_ASSIGN_OR_RETURN(workloads.list.emplace_back(), ParseWorkload(bytes), arguments.model);
    workloads.list[0].name = arguments.model;
    return workloads;
  }
  TILTH_ASSIGN_OR_RETURN(LoadedModel model, LoadModel(arguments));
  workloads.list = std::move(model.partition.workloads);
  workloads.target = model.target;
  return workloads;
}

// `kernel` is a number as in the order of `tilth tasks`, from 1, or a part of names; empty: all.
StatusOr<std::vector<Workload>> ChooseKernels(const std::vector<Workload>& workloads, const std::string& kernel) {
  size_t number = 0;
  const char* const end = kernel.data() + kernel.size();
  if (!kernel.empty() && std::from_chars(kernel.data(), end, number).ptr == end) {
    if (number >= 1 && number <= workloads.size()) return std::vector<Workload>{workloads[number - 1]};
    return absl::NotFoundError(StrCat("--kernel ", kernel, ": there are kernels 1 to ", workloads.size()));
  }
  std::vector<Workload> chosen;
  for (const Workload& workload : workloads)
    if (workload.name.find(kernel) != std::string::npos) chosen.push_back(workload);
  if (chosen.empty())
    return absl::NotFoundError(StrCat("--kernel ", kernel, ": no kernel has that in its name; see tilth tasks"));
  return chosen;
}

// The best of the defaults and `count` random candidates by the analytic prior.
Candidate Predict(const SearchSpace& space, int count) {
  Rng rng(/*seed=*/1);
  std::vector<Candidate> candidates = space.Defaults();
  for (int i = 0; i < count; ++i) candidates.push_back(space.Random(rng));
  const FeatureMatrix features = ExtractFeatures(space, candidates);
  int best = 0;
  for (int i = 1; i < features.rows(); ++i)
    if (features.at(i, PriorFeature()) < features.at(best, PriorFeature())) best = i;
  return candidates[static_cast<size_t>(best)];
}

StatusOr<Selection> Choose(const SearchSpace& space, const TuningLog* log, const Arguments& arguments) {
  TILTH_ASSIGN_OR_RETURN(Selection selection, SelectCandidate(space, log));
  if (!arguments.decisions.empty()) {
    selection = {};
    TILTH_ASSIGN_OR_RETURN(selection.decisions, DecisionsFromJson(arguments.decisions), "--decisions");
    TILTH_ASSIGN_OR_RETURN(selection.candidate, space.FromDecisions(selection.decisions), "--decisions");
  } else if (arguments.predict > 0 && !selection.tuned) {
    selection.candidate = Predict(space, arguments.predict);
    selection.decisions = space.ToDecisions(selection.candidate);
  }
  return selection;
}

StatusOr<std::vector<Explained>> ExplainAll(const Workloads& workloads, const Arguments& arguments) {
  std::unique_ptr<TuningLog> log;
  if (!arguments.log.empty()) {
    TILTH_ASSIGN_OR_RETURN(log, TuningLog::Open(arguments.log, {.mode = TuningLog::Mode::kReadOnly}));
  }
  TILTH_ASSIGN_OR_RETURN(const std::vector<Workload> chosen, ChooseKernels(workloads.list, arguments.kernel));
  std::vector<Explained> all;
  for (const Workload& workload : chosen) {
    TILTH_ASSIGN_OR_RETURN(const auto space, SearchSpace::Create(workload, workloads.target), workload.name);
    Explained explained;
    explained.name = workload.name;
    TILTH_ASSIGN_OR_RETURN(explained.selection, Choose(*space, log.get(), arguments), workload.name);
    TILTH_ASSIGN_OR_RETURN(explained.explanation, ExplainKernel(*space, explained.selection.candidate), workload.name);
    all.push_back(std::move(explained));
  }
  return all;
}

std::string Percent(double fraction) { return absl::StrFormat("%.0f %%", 100 * fraction); }

void PrintTable(const std::vector<Explained>& all) {
  Table table({{"KERNEL", Column::kFlexible},
               {"SKETCH"},
               {"FLOP/BYTE", Column::kNumber},
               {"FMA", Column::kNumber},
               {"CYCLES", Column::kNumber},
               {"OF PEAK", Column::kNumber},
               {"STACK", Column::kNumber}});
  for (const Explained& e : all) {
    std::vector<std::string> row = {e.name, e.selection.decisions.sketch,
                                    absl::StrFormat("%.1f", e.explanation.FlopsPerByte())};
    if (const std::optional<HotLoop>& loop = e.explanation.loop) {
      for (std::string cell : {StrCat(loop->fma_instructions), absl::StrFormat("%.1f", loop->cycles_per_iteration),
                               Percent(loop->FmaFraction()), StrCat(loop->stack_loads + loop->stack_stores)})
        row.push_back(std::move(cell));
    } else {
      row.insert(row.end(), 4, "-");
    }
    table.AddRow(std::move(row));
  }
  std::cout << table.Render(TerminalWidth());
}

void PrintLoop(const HotLoop& loop, const Target& target) {
  std::cout << "\nhot loop\n";
  for (const std::string& line : loop.assembly) std::cout << "  " << line << "\n";
  std::cout << absl::StrFormat("\n%d instructions in %.1f cycles, by LLVM's model of %s\n", loop.assembly.size(),
                               loop.cycles_per_iteration, target.cpu);
  if (loop.fma_lanes > 0) {
    std::cout << absl::StrFormat("%d multiply-adds of %d lanes: %.2f per cycle, %s of the %.2f that are possible\n",
                                 loop.fma_instructions, loop.fma_lanes, loop.fma_per_cycle, Percent(loop.FmaFraction()),
                                 loop.peak_fma_per_cycle);
  }
  std::cout << absl::StrFormat("%d loads from the stack, %d stores to it\n", loop.stack_loads, loop.stack_stores);
}

void PrintOne(const Explained& e, const Target& target) {
  const KernelExplanation& x = e.explanation;
  std::cout << e.name << " for " << target.name << "\n"
            << ToJson(e.selection.decisions) << (e.selection.tuned ? " (best of the log)" : "") << "\n\n"
            << x.program;
  if (x.loop) PrintLoop(*x.loop, target);
  std::cout << absl::StrFormat("\n%.2f MFLOP, %s at least to move: %.1f FLOP per byte; a core's peak is %.1f GFLOP/s\n",
                               x.flops * 1e-6, FormatBytes(static_cast<int64_t>(x.bytes)), x.FlopsPerByte(),
                               x.peak_gflops);
  if (e.selection.median_ns > 0) {
    const double gflops = x.flops / e.selection.median_ns;
    std::cout << absl::StrFormat("measured: %s, %.1f GFLOP/s (%s of the peak), %.2f GB/s of those bytes\n",
                                 FormatDuration(e.selection.median_ns), gflops, Percent(gflops / x.peak_gflops),
                                 x.bytes / e.selection.median_ns);
  }
}

void PrintJson(const std::vector<Explained>& all) {
  Json document = {{"kernels", Json::array()}};
  for (const Explained& e : all) {
    const KernelExplanation& x = e.explanation;
    Json row = {{"name", e.name},
                {"decisions", Json::parse(ToJson(e.selection.decisions))},
                {"tuned", e.selection.tuned},
                {"flops", x.flops},
                {"bytes", x.bytes},
                {"flops_per_byte", x.FlopsPerByte()},
                {"peak_gflops", x.peak_gflops},
                {"program", x.program}};
    if (e.selection.median_ns > 0) row["median_ns"] = e.selection.median_ns;
    if (x.loop) {
      row["loop"] = {{"assembly", x.loop->assembly},           {"fma_instructions", x.loop->fma_instructions},
                     {"fma_lanes", x.loop->fma_lanes},         {"stack_loads", x.loop->stack_loads},
                     {"stack_stores", x.loop->stack_stores},   {"cycles_per_iteration", x.loop->cycles_per_iteration},
                     {"fma_per_cycle", x.loop->fma_per_cycle}, {"peak_fma_per_cycle", x.loop->peak_fma_per_cycle},
                     {"fma_fraction", x.loop->FmaFraction()}};
    }
    document["kernels"].push_back(std::move(row));
  }
  std::cout << document.dump(2) << "\n";
}

StatusOr<int> Explain(const Arguments& arguments) {
  TILTH_ASSIGN_OR_RETURN(const Workloads workloads, LoadWorkloads(arguments.model));
  TILTH_ASSIGN_OR_RETURN(const std::vector<Explained> all, ExplainAll(workloads, arguments));
  if (arguments.json) {
    PrintJson(all);
  } else if (all.size() == 1) {
    PrintOne(all[0], workloads.target);
  } else {
    PrintTable(all);
  }
  return kExitOk;
}

}  // namespace

void AddExplainKernelCommand(CLI::App& app, int* exit_code) {
  CLI::App* command =
      app.add_subcommand("explain-kernel", "Shows loops, machine code and static throughput of the kernels of a model");
  command->footer(
      "Example:\n  tilth explain-kernel model.onnx --target rpi4\n"
      "  tilth explain-kernel model.onnx --kernel 3 --log tuning.db");
  const auto arguments = std::make_shared<Arguments>();
  command->add_option("MODEL", arguments->model.model, "the ONNX file, or a file with a workload as text")->required();
  AddTargetArguments(command, &arguments->model);
  command->add_option(
      "--kernel", arguments->kernel,
      "only those with this in their names, or one by its place in 'tilth tasks'; one is shown in full");
  command->add_option("--log", arguments->log, "explain the best of this log instead of the default");
  CLI::Option* decisions = command->add_option("--decisions", arguments->decisions, "explain this candidate, as JSON");
  command
      ->add_option("--predict", arguments->predict,
                   "without a record: the best of the defaults and so many random candidates by the analytic prior")
      ->excludes(decisions);
  command->add_flag("--json", arguments->json, "print one JSON document");
  command->callback([arguments, exit_code] {
    const StatusOr<int> result = Explain(*arguments);
    *exit_code = result.ok() ? *result : ReportError("explain-kernel", result.status());
  });
}

}  // namespace tilth
