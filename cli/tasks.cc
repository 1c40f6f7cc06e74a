// `tilth tasks`: the kernels of a model, before any of them is tuned.
#include <algorithm>
#include <cmath>
#include <iostream>
#include <memory>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "cli/commands.h"
#include "cli/model_arguments.h"
#include "cli/table.h"
#include "ir/workload.h"
#include "nlohmann/json.hpp"
#include "search_space/space.h"

namespace tilth {
namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  ModelArguments model;
  bool json = false;
};

struct Task {
  std::string hash, name;
  int weight = 0;
  double flops = 0, bytes = 0;
  uint64_t space_size = 0;
};

StatusOr<std::vector<Task>> ListTasks(const LoadedModel& model) {
  std::vector<Task> tasks;
  for (size_t i = 0; i < model.partition.workloads.size(); ++i) {
    const Workload& workload = model.partition.workloads[i];
    TILTH_ASSIGN_OR_RETURN(const auto space, SearchSpace::Create(workload, model.target), workload.name);
    tasks.push_back({StructuralHash(workload), workload.name, model.partition.weights[i], Flops(workload),
                     CompulsoryBytes(workload), space->Size()});
  }
  return tasks;
}

// Spaces are too large for digits: "3.1e+09".
std::string FormatSize(uint64_t size) {
  return size < 1'000'000 ? FormatCount(static_cast<int64_t>(size))
                          : absl::StrFormat("%.1e", static_cast<double>(size));
}

void PrintTable(const std::vector<Task>& tasks) {
  Table table({{"KERNEL", Column::kFlexible},
               {"USES", Column::kNumber},
               {"MFLOP", Column::kNumber},
               {"BYTES", Column::kNumber},
               {"SPACE", Column::kNumber}});
  double flops = 0;
  int uses = 0;
  for (const Task& task : tasks) {
    table.AddRow({task.name, StrCat(task.weight), absl::StrFormat("%.2f", task.flops * 1e-6),
                  FormatBytes(static_cast<int64_t>(task.bytes)), FormatSize(task.space_size)});
    flops += task.flops * task.weight;
    uses += task.weight;
  }
  std::cout << table.Render(TerminalWidth());
  std::cout << tasks.size() << " kernels, " << uses << " calls, " << absl::StrFormat("%.2f", flops * 1e-9)
            << " GFLOP in all\n";
}

void PrintJson(const std::vector<Task>& tasks) {
  Json document = {{"tasks", Json::array()}};
  for (const Task& task : tasks) {
    document["tasks"].push_back({{"workload", task.hash},
                                 {"name", task.name},
                                 {"weight", task.weight},
                                 {"flops", std::llround(task.flops)},
                                 {"bytes", std::llround(task.bytes)},
                                 {"space_size", task.space_size}});
  }
  std::cout << document.dump(2) << "\n";
}

StatusOr<int> ShowTasks(const Arguments& arguments) {
  TILTH_ASSIGN_OR_RETURN(const LoadedModel model, LoadModel(arguments.model));
  TILTH_ASSIGN_OR_RETURN(const std::vector<Task> tasks, ListTasks(model));
  if (arguments.json) {
    PrintJson(tasks);
  } else {
    PrintTable(tasks);
  }
  return kExitOk;
}

}  // namespace

void AddTasksCommand(CLI::App& app, int* exit_code) {
  CLI::App* command = app.add_subcommand("tasks", "Lists the kernels of a model and the size of their search spaces");
  command->footer("Example:\n  tilth tasks model.onnx --target rpi4");
  const auto arguments = std::make_shared<Arguments>();
  AddModelArguments(command, &arguments->model);
  command->add_flag("--json", arguments->json, "print one JSON document");
  command->callback([arguments, exit_code] {
    const StatusOr<int> result = ShowTasks(*arguments);
    *exit_code = result.ok() ? *result : ReportError("tasks", result.status());
  });
}

}  // namespace tilth
