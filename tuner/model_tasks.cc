#include "tuner/model_tasks.h"

#include "absl/strings/str_join.h"
#include "search_space/space.h"

namespace tilth {

StatusOr<std::vector<TuningTask>> MakeTasks(const Partition& partition, const Target& target,
                                            const std::string& filter) {
  std::vector<TuningTask> tasks;
  std::vector<std::string> names;
  for (size_t i = 0; i < partition.workloads.size(); ++i) {
    const Workload& workload = partition.workloads[i];
    names.push_back(workload.name);
    if (workload.name.find(filter) == std::string::npos) continue;
    TILTH_ASSIGN_OR_RETURN(std::unique_ptr<SearchSpace> space, SearchSpace::Create(workload, target),
                           "search space of ", workload.name);
    tasks.emplace_back(std::move(space), partition.weights[i]);
  }
  if (tasks.empty()) {
    return absl::NotFoundError(names.empty() ? std::string("the model has nothing to compute")
                                             : StrCat("no kernel of the model has '", filter,
                                                      "' in its name; there are: ", absl::StrJoin(names, ", ")));
  }
  return tasks;
}

}  // namespace tilth
