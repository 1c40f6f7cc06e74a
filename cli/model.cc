// `tilth model`: cost models trained on tuning logs.
#include <iostream>
#include <map>
#include <memory>
#include <string>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "cli/commands.h"
#include "cli/model_files.h"
#include "cli/model_views.h"

namespace tilth {
namespace {

const std::map<std::string, Split> kSplits = {
    {"within-task", Split::kWithinTask}, {"by-task", Split::kByTask}, {"by-device", Split::kByDevice}};

void AddForestArguments(CLI::App* command, XgbOptions* options) {
  command->add_option("--rounds", options->rounds, StrCat("trees of a forest (default: ", options->rounds, ")"))
      ->check(CLI::Range(1, 10'000));
  command->add_option("--depth", options->depth, StrCat("of a tree, at most (default: ", options->depth, ")"))
      ->check(CLI::Range(1, 20));
}

void AddEval(CLI::App* model, int* exit_code) {
  CLI::App* command = model->add_subcommand("eval", "How well cost models order the candidates of tuning logs");
  command->footer(
      "Each model is trained on a part of the records and judged by the rest: other candidates of the same\n"
      "kernels (within-task), other kernels (by-task) or other devices (by-device).\n"
      "Example:\n  tilth model eval tuning.db --split by-task");
  const auto arguments = std::make_shared<EvalArguments>();
  command->add_option("logs", arguments->logs, "tuning logs")->required();
  const auto split = std::make_shared<std::string>("within-task");
  command->add_option("--split", *split, "within-task, by-task or by-device (default: within-task)")
      ->check(CLI::IsMember({"within-task", "by-task", "by-device"}));
  command->add_option("--model", arguments->model,
                      "judge this model, a file or 'shipped', as it is, by all of the records");
  command->add_option("--folds", arguments->folds, "parts that the records are dealt into (default: 5)")
      ->check(CLI::Range(2, 100));
  command->add_option("--only", arguments->only, "judge models of this name only, as in 'both forests'");
  AddForestArguments(command, &arguments->forest);
  command->add_flag("--curves", arguments->curves, "also train on 32, 64, … 2,048 records only");
  command->add_flag("--ablation", arguments->ablation, "also train without each block of features");
  command->add_flag("--json", arguments->json, "print one JSON document");
  command->callback([arguments, split, exit_code] {
    arguments->split = kSplits.at(*split);
    const Status status = EvaluateModels(*arguments, std::cout);
    *exit_code = status.ok() ? kExitOk : ReportError("model eval", status);
  });
}

void AddTrain(CLI::App* model, int* exit_code) {
  CLI::App* command = model->add_subcommand("train", "Trains a model on tuning logs, for sessions and builds to come");
  command->footer("Example:\n  tilth model train lab.db desk.db -o machines.model");
  const auto arguments = std::make_shared<TrainArguments>();
  command->add_option("logs", arguments->logs, "tuning logs")->required();
  command->add_option("-o,--output", arguments->output, "the file to write")->required();
  AddForestArguments(command, &arguments->forest);
  command->add_flag("--json", arguments->json, "print one JSON document");
  command->callback([arguments, exit_code] {
    const Status status = TrainModelFile(*arguments, std::cout);
    *exit_code = status.ok() ? kExitOk : ReportError("model train", status);
  });
}

void AddList(CLI::App* model, int* exit_code) {
  CLI::App* command = model->add_subcommand("list", "What models were trained on, and how well they do");
  command->footer("Example:\n  tilth model list models/");
  const auto arguments = std::make_shared<ListArguments>();
  command->add_option("models", arguments->paths,
                      "model files, or folders of *.model files (default: the one that Tilth ships)");
  command->add_flag("--json", arguments->json, "print one JSON document");
  command->callback([arguments, exit_code] {
    const Status status = ListModels(*arguments, std::cout);
    *exit_code = status.ok() ? kExitOk : ReportError("model list", status);
  });
}

}  // namespace

void AddModelCommand(CLI::App& app, int* exit_code) {
  CLI::App* command = app.add_subcommand("model", "Cost models: train them on tuning logs, judge them, list them");
  command->require_subcommand(1);
  AddTrain(command, exit_code);
  AddEval(command, exit_code);
  AddList(command, exit_code);
}

}  // namespace tilth
