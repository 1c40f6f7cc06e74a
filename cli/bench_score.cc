// `tilth bench score`: how many candidates a search scores per second on one core.
#include <algorithm>
#include <cmath>
#include <iostream>
#include <memory>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_format.h"
#include "cli/bench.h"
#include "cli/commands.h"
#include "cost_model/feature_batch.h"
#include "cost_model/features.h"
#include "cost_model/vector_path.h"
#include "cost_model/xgb_model.h"
#include "nlohmann/json.hpp"
#include "search_space/schedule_key.h"
#include "search_space/space.h"
#include "tuner/evolutionary_search.h"
#include "tuner/feature_scorer.h"

namespace tilth {
namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  ModelArguments model;
  std::string task = "conv2d 3x3";
  int trees = 100;
  double seconds = 2;
  uint64_t seed = 1;
  bool json = false;
};

// Where the time of one candidate goes.
struct Part {
  const char* name;
  double ns = 0;
};

struct Measurement {
  std::string kernel;
  uint64_t space_size = 0;
  int64_t candidates = 0;  // scored, each new to its search
  int searches = 0;
  double wall_s = 0, cpu_s = 0;
  std::vector<Part> parts;
  double largest_difference = 0;  // between the forest and XGBoost

  double PerSecond(double seconds) const { return static_cast<double>(candidates) / seconds; }
};

constexpr int kTrainingRows = 4000;
constexpr int kComparedRows = 100'000;

StatusOr<Workload> FindKernel(const LoadedModel& model, const std::string& task) {
  const std::vector<Workload>& kernels = model.partition.workloads;
  const auto found = std::find_if(kernels.begin(), kernels.end(), [&](const Workload& workload) {
    return workload.name.find(task) != std::string::npos;
  });
  if (found != kernels.end()) return *found;
  return absl::NotFoundError(StrCat("--task ", task, ": no kernel has that in its name; see tilth tasks"));
}

std::vector<Candidate> RandomCandidates(const SearchSpace& space, int count, Rng& rng) {
  std::vector<Candidate> candidates;
  candidates.reserve(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) candidates.push_back(space.Random(rng));
  return candidates;
}

// A forest as a session has one: of times that are the prior's but for errors that depend on the candidate.
StatusOr<std::unique_ptr<XgbModel>> TrainForest(const SearchSpace& space, int trees, Rng& rng) {
  TrainingSet data;
  data.features = ExtractFeatures(space, RandomCandidates(space, kTrainingRows, rng));
  for (int i = 0; i < data.rows(); ++i) {
    const double prior_ns = std::exp2(static_cast<double>(data.features.at(i, PriorFeature())));
    data.median_ns.push_back(prior_ns * (1 + 0.5 * rng.Uniform()));
    data.group.push_back(0);
  }
  TILTH_ASSIGN_OR_RETURN(std::unique_ptr<XgbModel> model, XgbModel::Create({.rounds = trees}));
  TILTH_RETURN_IF_ERROR(model->Update(data), "training the forest");
  return model;
}

// Whole searches as a session makes them, one after the other.
Status Search(const SearchSpace& space, const CostModel& model, double seconds, Rng& rng, Measurement* result) {
  constexpr int kProposals = 32;
  const std::unique_ptr<SearchPolicy> policy = MakeEvolutionarySearch();
  const TakenCandidates none;
  const double begun_wall_s = WallSeconds(), begun_cpu_s = CpuSeconds();
  do {
    FeatureScorer scorer(space, model);
    const SearchRequest request = {.space = &space, .scorer = &scorer, .taken = &none, .count = kProposals};
    TILTH_RETURN_IF_ERROR(policy->Propose(request, rng).status());
    ++result->searches;
    result->wall_s = WallSeconds() - begun_wall_s;
  } while (result->wall_s < seconds);
  result->cpu_s = CpuSeconds() - begun_cpu_s;
  result->candidates = policy->candidates_scored();
  return absl::OkStatus();
}

// The same steps one by one, over the same candidates.
Status TimeParts(const SearchSpace& space, const CostModel& model, Rng& rng, Measurement* result) {
  constexpr int kCandidates = 4096, kRounds = 20;
  std::vector<Candidate> parents = RandomCandidates(space, kCandidates, rng), children(parents.size());
  std::vector<LoopNest> nests;
  std::vector<uint64_t> keys(parents.size());
  auto time = [&](const char* name, auto&& step) {
    double best_s = 1e9;
    for (int round = 0; round < kRounds; ++round) {
      const double begun_s = WallSeconds();
      step();
      best_s = std::min(best_s, WallSeconds() - begun_s);
    }
    result->parts.push_back({name, 1e9 * best_s / kCandidates});
  };
  time("mutate", [&] {
    for (size_t i = 0; i < parents.size(); ++i) children[i] = space.Mutate(parents[i], rng);
  });
  time("duplicates", [&] {
    absl::flat_hash_set<uint64_t> seen, pooled;
    for (size_t i = 0; i < children.size(); ++i) {
      seen.insert(HashOf(children[i]));
      pooled.insert(keys[i] + i);
    }
  });
  time("resolve", [&] {
    nests.clear();
    for (const Candidate& child : children) nests.push_back(space.Resolve(child));
  });
  time("key", [&] {
    for (size_t i = 0; i < nests.size(); ++i) keys[i] = ScheduleKey(nests[i]);
  });
  FeatureBatch batch(space.target());
  time("features", [&] {
    batch.ClearRows();
    for (size_t i = 0; i < nests.size(); ++i) batch.Add(nests[i], static_cast<int>(i));
    batch.Flush();
  });
  Status status;
  time("forest", [&] { status.Update(model.Predict(batch.features()).status()); });
  return status;
}

Status CompareWithXgboost(const SearchSpace& space, const XgbModel& model, Rng& rng, Measurement* result) {
  const FeatureMatrix features = ExtractFeatures(space, RandomCandidates(space, kComparedRows, rng));
  TILTH_ASSIGN_OR_RETURN(const std::vector<float> ours, model.Predict(features));
  TILTH_ASSIGN_OR_RETURN(const std::vector<float> theirs, model.PredictByXgboost(features));
  for (size_t i = 0; i < ours.size(); ++i)
    result->largest_difference =
        std::max(result->largest_difference, static_cast<double>(std::abs(ours[i] - theirs[i])));
  return absl::OkStatus();
}

StatusOr<Measurement> Measure(const Arguments& arguments) {
  TILTH_ASSIGN_OR_RETURN(const LoadedModel model, LoadModelOrZoo(arguments.model));
  TILTH_ASSIGN_OR_RETURN(Workload workload, FindKernel(model, arguments.task));
  Measurement result;
  result.kernel = workload.name;
  TILTH_ASSIGN_OR_RETURN(const std::unique_ptr<SearchSpace> space,
                         SearchSpace::Create(std::move(workload), model.target));
  result.space_size = space->Size();
  Rng rng(arguments.seed);
  TILTH_ASSIGN_OR_RETURN(const std::unique_ptr<XgbModel> forest, TrainForest(*space, arguments.trees, rng));
  TILTH_RETURN_IF_ERROR(Search(*space, *forest, arguments.seconds, rng, &result), "searching");
  TILTH_RETURN_IF_ERROR(TimeParts(*space, *forest, rng, &result), "timing parts");
  TILTH_RETURN_IF_ERROR(CompareWithXgboost(*space, *forest, rng, &result), "comparing with XGBoost");
  return result;
}

void Print(const Measurement& measured, const Arguments& arguments) {
  std::cout << absl::StrFormat("%s, %d candidates, forest of %d trees, %s\n", measured.kernel, measured.space_size,
                               arguments.trees, NameOf(AvailableVectorPaths().back()));
  std::cout << absl::StrFormat(
      "%.2f million candidates per second, %.2f million per second of CPU time (%d in %d searches)\n",
      1e-6 * measured.PerSecond(measured.wall_s), 1e-6 * measured.PerSecond(measured.cpu_s), measured.candidates,
      measured.searches);
  for (const Part& part : measured.parts) std::cout << absl::StrFormat("  %-12s%6.0f ns\n", part.name, part.ns);
  std::cout << absl::StrFormat("forest and XGBoost differ by at most %.2g on %d random candidates\n",
                               measured.largest_difference, kComparedRows);
}

void PrintJson(const Measurement& measured, const Arguments& arguments) {
  Json document = {{"candidates_per_second", measured.PerSecond(measured.wall_s)},
                   {"candidates_per_cpu_second", measured.PerSecond(measured.cpu_s)},
                   {"kernel", measured.kernel},
                   {"space_size", measured.space_size},
                   {"candidates", measured.candidates},
                   {"searches", measured.searches},
                   {"trees", arguments.trees},
                   {"vectors", NameOf(AvailableVectorPaths().back())},
                   {"largest_difference_from_xgboost", measured.largest_difference},
                   {"ns_per_candidate", Json::object()}};
  for (const Part& part : measured.parts) document["ns_per_candidate"][part.name] = part.ns;
  std::cout << document.dump(2) << "\n";
}

}  // namespace

void AddBenchScore(CLI::App* bench, int* exit_code) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = bench->add_subcommand("score", "Candidates scored per second by one thread");
  command->footer("Example:\n  tilth bench score --task \"conv2d 3x3 128\" --trees 300");
  command->add_option("MODEL", arguments->model.model, "the ONNX file (default: the zoo's ResNet-50)");
  AddTargetArguments(command, &arguments->model);
  command->add_option("--task", arguments->task, "the first kernel with this in its name (default: conv2d 3x3)");
  command->add_option("--trees", arguments->trees, "of the forest, of depth 6 (default: 100)")
      ->check(CLI::Range(1, 10'000));
  command->add_option("--seconds", arguments->seconds, "how long to search (default: 2)")->check(CLI::PositiveNumber);
  command->add_option("--seed", arguments->seed, "of the search (default: 1)");
  command->add_flag("--json", arguments->json, "print one JSON document");
  command->callback([arguments, exit_code] {
    const StatusOr<Measurement> measured = Measure(*arguments);
    if (!measured.ok()) {
      *exit_code = ReportError("bench score", measured.status());
      return;
    }
    arguments->json ? PrintJson(*measured, *arguments) : Print(*measured, *arguments);
    *exit_code = kExitOk;
  });
}

}  // namespace tilth
