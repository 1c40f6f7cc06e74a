#include "compiler/package/package.h"

#include <algorithm>

#include "base/files.h"
#include "compiler/artifact_cache.h"
#include "compiler/codegen/codegen.h"
#include "compiler/package/model_library.h"
#include "compiler/package/model_planner.h"
#include "compiler/runtime/kernel_abi.h"

namespace tilth {
namespace {

std::vector<Tensor> TensorsOf(const Graph& graph, const std::vector<int>& numbers) {
  std::vector<Tensor> tensors;
  for (const int number : numbers) tensors.push_back(graph.tensors[number].tensor);
  return tensors;
}

ModelDescription Describe(const Partition& partition, const std::vector<KernelChoice>& choices, const Target& target,
                          const PackageOptions& options) {
  ModelDescription description;
  description.name = options.name;
  description.model_hash = options.model_hash;
  description.target = target.name;
  description.target_text = ToText(target);
  description.default_threads = options.default_threads;
  description.inputs = TensorsOf(partition.graph, partition.graph.inputs);
  description.outputs = TensorsOf(partition.graph, partition.graph.outputs);
  for (size_t i = 0; i < choices.size(); ++i) {
    const Workload& workload = partition.workloads[i];
    description.kernels.push_back({workload.name, StructuralHash(workload), partition.weights[i], choices[i].tuned,
                                   choices[i].median_ns, choices[i].predicted_gain, choices[i].decisions});
  }
  for (const KernelCall& call : partition.calls) description.calls.push_back(call.workload);
  return description;
}

// What the thread pool of the library can count.
constexpr int64_t kMaxTasks = (int64_t{1} << 31) - 1;

StatusOr<KernelObject> CompileKernel(const Workload& workload, const KernelChoice& choice, const Target& target,
                                     size_t number, ArtifactCache* cache) {
  const LoopProgram& program = choice.program;
  for (const LoopPhase& phase : program.phases) {
    if (phase.num_tasks > kMaxTasks) {
      return absl::InvalidArgumentError(
          StrCat("phase ", phase.name, " has ", phase.num_tasks, " tasks; a library runs at most ", kMaxTasks));
    }
  }
  const std::string prefix = StrCat("k", number, "_");
  KernelObject kernel{prefix + TILTH_KERNEL_SYMBOL, ""};
  const std::string key = cache ? ArtifactCache::Key(workload, choice.decisions, target, prefix) : "";
  if (std::optional<std::string> found = cache ? cache->Find(key) : std::nullopt) {
    kernel.object = *std::move(found);
    return kernel;
  }
  TILTH_ASSIGN_OR_RETURN(kernel.object,
                         GenerateObject(program, target, {.symbol_prefix = prefix, .skip_prepare_phases = true}));
  if (cache) cache->Put(key, kernel.object);
  return kernel;
}

}  // namespace

StatusOr<Package> BuildPackage(const Partition& partition, const std::vector<KernelChoice>& choices,
                               const Target& target, const PackageOptions& options) {
  TILTH_CHECK(choices.size() == partition.workloads.size());
  TILTH_RETURN_IF_ERROR(CheckModelName(options.name));
  std::vector<KernelObject> kernels;
  std::vector<LoopProgram> programs;
  for (size_t i = 0; i < choices.size(); ++i) {
    TILTH_ASSIGN_OR_RETURN(kernels.emplace_back(),
                           CompileKernel(partition.workloads[i], choices[i], target, i, options.artifact_cache),
                           "compiling kernel ", partition.workloads[i].name);
    programs.push_back(choices[i].program);
  }
  TILTH_ASSIGN_OR_RETURN(const ModelPlan plan, PlanModel(partition, programs));
  Package package;
  package.description = Describe(partition, choices, target, options);
  package.description.weight_bytes = static_cast<int64_t>(plan.weights.size());
  package.description.arena_bytes = plan.arena_bytes;
  TILTH_ASSIGN_OR_RETURN(package.library, LinkModelLibrary(package.description, plan, kernels, target));
  return package;
}

Status WritePackage(const Package& package, const std::string& directory) {
  const ModelDescription& model = package.description;
  TILTH_RETURN_IF_ERROR(MakeDirectories(directory));
  const std::pair<std::string, std::string> texts[] = {{StrCat(model.name, ".h"), HeaderText(model)},
                                                       {"manifest.json", ManifestJson(model)},
                                                       {"example.c", ExampleText(model)}};
  TILTH_RETURN_IF_ERROR(WriteFileAtomically(StrCat(directory, "/lib", model.name, ".so"), package.library));
  for (const auto& [name, text] : texts) TILTH_RETURN_IF_ERROR(WriteFileAtomically(StrCat(directory, "/", name), text));
  return absl::OkStatus();
}

}  // namespace tilth
