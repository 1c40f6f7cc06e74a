#include "cli/build_model.h"

#include <memory>

#include "cli/artifact_cache_argument.h"
#include "cli/cost_model_argument.h"
#include "compiler/lower/lower.h"
#include "db/tuning_log.h"
#include "search_space/space.h"
#include "tuner/selection.h"

namespace tilth {
namespace {

StatusOr<std::vector<KernelChoice>> ChooseKernels(const LoadedModel& model, const TuningLog* log,
                                                  const CostModel* cost_model, bool strict) {
  std::vector<std::unique_ptr<SearchSpace>> spaces;
  std::vector<const SearchSpace*> views;
  for (const Workload& workload : model.partition.workloads) {
    TILTH_ASSIGN_OR_RETURN(spaces.emplace_back(), SearchSpace::Create(workload, model.target), "kernel ",
                           workload.name);
    views.push_back(spaces.back().get());
  }
  TILTH_ASSIGN_OR_RETURN(const std::vector<Selection> selections, SelectCandidates(views, log, strict, cost_model));
  std::vector<KernelChoice> choices;
  for (size_t i = 0; i < spaces.size(); ++i) {
    const Workload& workload = spaces[i]->workload();
    KernelChoice& choice = choices.emplace_back();
    TILTH_ASSIGN_OR_RETURN(choice.program, Lower(workload, spaces[i]->Resolve(selections[i].candidate)),
                           "lowering kernel ", workload.name);
    choice.decisions = selections[i].decisions;
    choice.tuned = selections[i].tuned;
    choice.median_ns = selections[i].median_ns;
    choice.predicted_gain = selections[i].predicted_gain;
  }
  return choices;
}

}  // namespace

StatusOr<Package> BuildModel(const BuildArguments& arguments) {
  // A log or a name that is no good should be told before minutes of work.
  std::unique_ptr<TuningLog> log;
  if (!arguments.log.empty()) {
    TILTH_ASSIGN_OR_RETURN(log, TuningLog::Open(arguments.log, {.mode = TuningLog::Mode::kReadOnly}));
  }
  PackageOptions options;
  options.name = arguments.name.empty() ? ModelNameFromPath(arguments.model.model) : arguments.name;
  options.default_threads = arguments.threads;
  TILTH_RETURN_IF_ERROR(CheckModelName(options.name));

  TILTH_ASSIGN_OR_RETURN(const std::unique_ptr<ArtifactCache> cache, OpenArtifactCache(arguments.artifact_cache));
  options.artifact_cache = cache.get();

  TILTH_ASSIGN_OR_RETURN(const LoadedModel model, LoadModel(arguments.model));
  options.model_hash = model.model_hash;
  TILTH_ASSIGN_OR_RETURN(const std::shared_ptr<const CostModel> cost_model,
                         OpenCostModel(arguments.cost_model, model.target));
  TILTH_ASSIGN_OR_RETURN(const std::vector<KernelChoice> choices,
                         ChooseKernels(model, log.get(), cost_model.get(), arguments.strict));
  return BuildPackage(model.partition, choices, model.target, options);
}

}  // namespace tilth
