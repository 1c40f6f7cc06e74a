// `tilth replay`: how good a search policy is on spaces that have been measured completely.
#include <unistd.h>

#include <iostream>
#include <memory>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "absl/strings/str_format.h"
#include "cli/commands.h"
#include "cli/table.h"
#include "nlohmann/json.hpp"
#include "search_space/recorded_space.h"
#include "tuner/policies.h"
#include "tuner/replay.h"

namespace tilth {
namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  std::vector<std::string> spaces;
  ReplayOptions options;
  bool json = false;
};

Json ToJson(const std::vector<std::vector<double>>& fractions) {
  const ReplayScore score = ScoreOf(fractions);
  Json json = {{"mean_fraction_of_optimum", score.mean},
               {"ci95_low", score.ci95_low},
               {"ci95_high", score.ci95_high},
               {"evaluations_to_95_percent", nullptr}};
  if (score.evaluations_to_95_percent > 0) json["evaluations_to_95_percent"] = score.evaluations_to_95_percent;
  json["worst_seed"] = score.worst;
  return json;
}

void PrintJson(const std::vector<ReplayResult>& results, const ReplayOptions& options) {
  Json document = ToJson(MeanFractions(results));
  document["policy"] = options.policy;
  document["budget"] = options.budget;
  document["seeds"] = options.seeds;
  document["spaces"] = Json::array();
  for (const ReplayResult& result : results) {
    Json space = {{"space", result.name}, {"points", result.points}, {"failures", result.failures}};
    space.update(ToJson(result.fractions));
    space["random_expectation"] = result.random_expectation.back();
    Json curve = Json::array();
    for (size_t i = 1; i <= result.random_expectation.size(); ++i) curve.push_back(MeanAfter(result.fractions, i));
    space["mean_after"] = std::move(curve);
    document["spaces"].push_back(std::move(space));
  }
  std::cout << document.dump(2) << "\n";
}

// The evaluations after which the table tells the fraction: a quarter, a half and all of the budget.
std::vector<size_t> Milestones(int budget) {
  const auto all = static_cast<size_t>(budget);
  std::vector<size_t> milestones;
  for (size_t part : {all / 4, all / 2}) {
    if (part > 0 && (milestones.empty() || milestones.back() < part)) milestones.push_back(part);
  }
  if (milestones.empty() || milestones.back() < all) milestones.push_back(all);
  return milestones;
}

void PrintTable(const std::vector<ReplayResult>& results, const ReplayOptions& options) {
  std::vector<Column> columns = {{"SPACE", Column::kFlexible}, {"POINTS", Column::kNumber}};
  const std::vector<size_t> milestones = Milestones(options.budget);
  for (size_t milestone : milestones) columns.push_back({StrCat("AT ", milestone), Column::kNumber});
  for (const char* header : {"95% INTERVAL", "WORST SEED", "TO 95%", "RANDOM"})
    columns.push_back({header, Column::kNumber});
  Table table(std::move(columns));
  const auto fraction = [](double value) { return absl::StrFormat("%.3f", value); };
  const auto add = [&](std::vector<std::string> row, const std::vector<std::vector<double>>& fractions, double random) {
    const ReplayScore score = ScoreOf(fractions);
    for (size_t milestone : milestones) row.push_back(fraction(MeanAfter(fractions, milestone)));
    row.push_back(absl::StrFormat("%.3f to %.3f", score.ci95_low, score.ci95_high));
    row.push_back(fraction(score.worst));
    row.push_back(score.evaluations_to_95_percent > 0 ? StrCat(score.evaluations_to_95_percent) : "-");
    row.push_back(fraction(random));
    table.AddRow(std::move(row));
  };
  double random = 0;
  for (const ReplayResult& result : results) {
    add({result.name, FormatCount(static_cast<int64_t>(result.points))}, result.fractions,
        result.random_expectation.back());
    random += result.random_expectation.back() / static_cast<double>(results.size());
  }
  if (results.size() > 1) add({"mean", ""}, MeanFractions(results), random);
  std::cout << table.Render(TerminalWidth())
            << absl::StrFormat("fractions of the optimum after so many evaluations; policy %s, mean of %d seeds\n",
                               options.policy, options.seeds);
}

StatusOr<int> RunReplay(const Arguments& arguments) {
  const bool terminal = isatty(STDERR_FILENO) != 0;
  std::vector<ReplayResult> results;
  for (const std::string& path : arguments.spaces) {
    TILTH_ASSIGN_OR_RETURN(const std::unique_ptr<RecordedSpace> recorded, RecordedSpace::Read(path));
    const auto progress = [&](int done) {
      if (terminal) std::cerr << "\r" << path << ": " << done << "/" << arguments.options.seeds << " searches\033[K";
    };
    TILTH_ASSIGN_OR_RETURN(results.emplace_back(), Replay(*recorded, arguments.options, progress));
    if (terminal) std::cerr << "\r\033[K";
  }
  arguments.json ? PrintJson(results, arguments.options) : PrintTable(results, arguments.options);
  return kExitOk;
}

}  // namespace

void AddReplayCommand(CLI::App& app, int* exit_code) {
  CLI::App* command = app.add_subcommand("replay", "Compares search policies on spaces that were measured completely");
  command->footer(
      "Examples:\n"
      "  tilth replay gemm.json.gz --budget 100 --seeds 32\n"
      "  tilth replay *.json.gz --policy random --json\n"
      "Spaces are cache files of Kernel Tuner, which may be compressed. Every evaluation draws one of the stored\n"
      "repeats; what counts is the mean time of the candidate that the search would return.");
  const auto arguments = std::make_shared<Arguments>();
  command->add_option("SPACE", arguments->spaces, "files with measured spaces")->required();
  command
      ->add_option("--budget", arguments->options.budget,
                   "evaluations of a search, failed ones included (default: 100)")
      ->check(CLI::Range(1, 100'000));
  command->add_option("--seeds", arguments->options.seeds, "searches with different seeds (default: 32)")
      ->check(CLI::Range(1, 10'000));
  command->add_option("--policy", arguments->options.policy, "how to search (default: evolutionary)")
      ->check(CLI::IsMember(PolicyNames()));
  command->add_flag("--json", arguments->json, "print one JSON document");
  command->callback([arguments, exit_code] {
    const StatusOr<int> result = RunReplay(*arguments);
    *exit_code = result.ok() ? *result : ReportError("replay", result.status());
  });
}

}  // namespace tilth
