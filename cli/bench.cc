// `tilth bench`: how fast our own parts are on this machine.
#include <algorithm>
#include <ctime>
#include <iostream>
#include <map>
#include <memory>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "base/clock.h"
#include "cli/bench.h"
#include "cli/commands.h"
#include "cli/model_arguments.h"
#include "cli/table.h"
#include "compiler/build_kernel.h"
#include "compiler/onnx/import.h"
#include "compiler/onnx/zoo/zoo.h"
#include "nlohmann/json.hpp"
#include "search_space/space.h"

namespace tilth {
namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  ModelArguments model;
  int candidates = 0;
  uint64_t seed = 0;
  bool json = false;
};

struct Build {
  std::string sketch;
  double total_s = 0;
  BuildReport report;
};

struct Measurement {
  std::vector<Build> builds;
  size_t kernels = 0, failures = 0;
  double wall_s = 0, cpu_s = 0;

  double PerSecond(double seconds) const { return static_cast<double>(builds.size()) / seconds; }
};

// The default candidate of each kernel and random ones, built one after the other by this thread.
StatusOr<Measurement> BuildCandidates(const LoadedModel& model, const Arguments& arguments) {
  std::vector<std::unique_ptr<SearchSpace>> spaces;
  for (const Workload& workload : model.partition.workloads) {
    TILTH_ASSIGN_OR_RETURN(spaces.emplace_back(), SearchSpace::Create(workload, model.target), workload.name);
  }
  Measurement measured;
  measured.kernels = spaces.size();
  Rng rng(arguments.seed);
  const double begun_wall_s = WallSeconds(), begun_cpu_s = CpuSeconds();
  for (const auto& space : spaces) {
    for (int i = 0; i < arguments.candidates; ++i) {
      const Candidate candidate = i == 0 ? space->Default() : space->Random(rng);
      Build build;
      build.sketch = space->sketches()[candidate.sketch]->name();
      const double begun_s = WallSeconds();
      const StatusOr<Artifact> artifact = BuildArtifact(*space, candidate, &build.report);
      build.total_s = WallSeconds() - begun_s;
      measured.failures += !artifact.ok();
      measured.builds.push_back(std::move(build));
    }
  }
  measured.wall_s = WallSeconds() - begun_wall_s;
  measured.cpu_s = CpuSeconds() - begun_cpu_s;
  return measured;
}

struct Part {
  const char* name;
  double (*seconds)(const Build&);
};

constexpr Part kParts[] = {
    {"lower", [](const Build& b) { return b.report.lower_s; }},
    {"emit", [](const Build& b) { return b.report.codegen.emit_s; }},
    {"optimise", [](const Build& b) { return b.report.codegen.optimise_s; }},
    {"machine", [](const Build& b) { return b.report.codegen.machine_s; }},
    {"link", [](const Build& b) { return b.report.link_s; }},
};

double MedianMs(std::vector<Build> builds) {
  const auto middle = builds.begin() + static_cast<std::ptrdiff_t>(builds.size() / 2);
  std::nth_element(builds.begin(), middle, builds.end(),
                   [](const Build& a, const Build& b) { return a.total_s < b.total_s; });
  return middle->total_s * 1e3;
}

double MeanMs(const std::vector<Build>& builds, double (*seconds)(const Build&)) {
  double sum_s = 0;
  for (const Build& build : builds) sum_s += seconds(build);
  return sum_s * 1e3 / static_cast<double>(builds.size());
}

std::map<std::string, std::vector<Build>> BySketch(const Measurement& measured) {
  std::map<std::string, std::vector<Build>> groups;
  for (const Build& build : measured.builds) groups[build.sketch].push_back(build);
  return groups;
}

void PrintTable(const Measurement& measured) {
  std::vector<Column> columns = {
      {"SKETCH"}, {"BUILDS", Column::kNumber}, {"MEDIAN MS", Column::kNumber}, {"MEAN MS", Column::kNumber}};
  for (const Part& part : kParts) columns.push_back({part.name, Column::kNumber});
  Table table(std::move(columns));
  auto milliseconds = [](double ms) { return absl::StrFormat("%.2f", ms); };
  auto add = [&](const std::string& name, const std::vector<Build>& builds) {
    std::vector<std::string> row = {name, StrCat(builds.size()), milliseconds(MedianMs(builds)),
                                    milliseconds(MeanMs(builds, [](const Build& b) { return b.total_s; }))};
    for (const Part& part : kParts) row.push_back(milliseconds(MeanMs(builds, part.seconds)));
    table.AddRow(std::move(row));
  };
  for (const auto& [sketch, builds] : BySketch(measured)) add(sketch, builds);
  add("all", measured.builds);
  std::cout << table.Render(TerminalWidth());
  std::cout << absl::StrFormat(
      "%.1f builds per second, %.1f per second of CPU time; %d kernels, %d builds, %d failed\n",
      measured.PerSecond(measured.wall_s), measured.PerSecond(measured.cpu_s), measured.kernels, measured.builds.size(),
      measured.failures);
}

void PrintJson(const Measurement& measured) {
  Json document = {{"builds_per_second", measured.PerSecond(measured.wall_s)},
                   {"builds_per_cpu_second", measured.PerSecond(measured.cpu_s)},
                   {"kernels", measured.kernels},
                   {"builds", measured.builds.size()},
                   {"failures", measured.failures},
                   {"sketches", Json::array()}};
  for (const auto& [sketch, builds] : BySketch(measured)) {
    Json row = {{"sketch", sketch}, {"builds", builds.size()}, {"median_ms", MedianMs(builds)}};
    for (const Part& part : kParts) row[StrCat(part.name, "_ms")] = MeanMs(builds, part.seconds);
    document["sketches"].push_back(std::move(row));
  }
  std::cout << document.dump(2) << "\n";
}

StatusOr<int> BenchBuild(const Arguments& arguments) {
  TILTH_ASSIGN_OR_RETURN(const LoadedModel model, LoadModelOrZoo(arguments.model));
  TILTH_ASSIGN_OR_RETURN(const Measurement measured, BuildCandidates(model, arguments));
  if (measured.builds.empty()) return absl::InvalidArgumentError("the model has nothing to compute");
  if (arguments.json) {
    PrintJson(measured);
  } else {
    PrintTable(measured);
  }
  return kExitOk;
}

}  // namespace

StatusOr<LoadedModel> LoadModelOrZoo(const ModelArguments& arguments) {
  if (!arguments.model.empty()) return LoadModel(arguments);
  LoadedModel model;
  TILTH_ASSIGN_OR_RETURN(model.target, ParseTarget(arguments.target), "--target ", arguments.target);
  TILTH_ASSIGN_OR_RETURN(const ZooTestCase made, MakeZooModel("resnet50", /*seed=*/1));
  TILTH_ASSIGN_OR_RETURN(Graph graph, ImportOnnx(made.model));
  TILTH_ASSIGN_OR_RETURN(model.partition, PartitionGraph(std::move(graph)));
  return model;
}

double CpuSeconds() {
  timespec now = {};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double WallSeconds() { return 1e-9 * static_cast<double>(SystemClock().NowNs()); }

void AddBenchCommand(CLI::App& app, int* exit_code) {
  CLI::App* command = app.add_subcommand("bench", "Measures how fast the parts of Tilth are on this machine");
  command->footer("Example:\n  tilth bench build");
  command->require_subcommand(1);
  const auto arguments = std::make_shared<Arguments>();
  arguments->candidates = 24;
  arguments->seed = 1;

  AddBenchScore(command, exit_code);
  AddBenchFarm(command, exit_code);

  CLI::App* build = command->add_subcommand("build", "Candidates compiled per second by one thread");
  build->footer("Example:\n  tilth bench build model.onnx --candidates 50");
  build->add_option("MODEL", arguments->model.model, "the ONNX file (default: the zoo's ResNet-50)");
  AddTargetArguments(build, &arguments->model);
  build->add_option("--candidates", arguments->candidates, "per kernel: the default, then random ones (default: 24)")
      ->check(CLI::PositiveNumber);
  build->add_option("--seed", arguments->seed, "of the random candidates (default: 1)");
  build->add_flag("--json", arguments->json, "print one JSON document");
  build->callback([arguments, exit_code] {
    const StatusOr<int> result = BenchBuild(*arguments);
    *exit_code = result.ok() ? *result : ReportError("bench build", result.status());
  });
}

}  // namespace tilth
