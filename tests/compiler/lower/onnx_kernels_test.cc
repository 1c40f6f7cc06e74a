// The kernels of ONNX's own test models, compiled: a few candidates of every workload against the interpreter.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "base/files.h"
#include "base/rng.h"
#include "compiler/graph/partition.h"
#include "compiler/lower/lower.h"
#include "compiler/onnx/import.h"
#include "search_space/space.h"
#include "tests/compiler/lower/schedule_harness.h"

namespace tilth {
namespace {

namespace fs = std::filesystem;

Status CheckCandidate(const ReferenceCase& reference, const SearchSpace& space, const Candidate& candidate) {
  TILTH_ASSIGN_OR_RETURN(const LoopProgram program, Lower(space.workload(), space.Resolve(candidate)), "lowering");
  std::vector<TensorValue> arguments = ArgumentsOf(reference);
  TILTH_RETURN_IF_ERROR(RunNative(program, space.target(), &arguments), "running");
  return CompareOutputs(reference, arguments, 1e-3, 1e-4);
}

// The default of each sketch and `random` other candidates.
Status CheckWorkload(const Workload& workload, const Target& target, int random, Rng& rng) {
  const ReferenceCase reference = MakeCase(ToText(workload));
  TILTH_ASSIGN_OR_RETURN(const auto space, SearchSpace::Create(workload, target));
  const int sketches = static_cast<int>(space->sketches().size());
  for (int i = 0; i < sketches + random; ++i) {
    const Candidate candidate = i < sketches ? space->Defaults()[i] : space->Random(rng);
    TILTH_RETURN_IF_ERROR(CheckCandidate(reference, *space, candidate), ToJson(space->ToDecisions(candidate)));
  }
  return absl::OkStatus();
}

// Not yet: half precision. Not with random data: integers divided by data, which may be 0, and floats beyond all
// integers cast to one, which no two machines agree on.
bool IsComparable(const Workload& workload) {
  bool comparable = std::none_of(workload.tensors.begin(), workload.tensors.end(), [](const Tensor& tensor) {
    return tensor.dtype == DType::kF16 || tensor.dtype == DType::kBF16;
  });
  for (const Stage& stage : workload.stages) {
    expr::Visit(stage.value, [&](const ExprNode& node) {
      if (node.op == ExprOp::kMod || node.op == ExprOp::kFloorDiv) comparable &= expr::IsConst(node.args[1]);
      if (node.op == ExprOp::kCast && !IsFloat(node.dtype))
        comparable &= !IsFloat(node.args[0]->dtype) || node.dtype == DType::kBool;
    });
  }
  return comparable;
}

TEST(OnnxKernels, AgreeWithTheInterpreter) {
  const fs::path data = "/usr/share/libonnx-testdata/data/node";
  if (!fs::exists(data)) GTEST_SKIP() << "libonnx-testdata is not installed";
  const char* given = std::getenv("TILTH_RANDOM_CANDIDATES");
  const int random = given != nullptr ? std::atoi(given) : 1;
  const Target target = *ParseTarget("native");
  Rng rng(3);
  std::set<std::string> seen;
  std::vector<fs::path> directories;
  for (const auto& entry : fs::directory_iterator(data)) directories.push_back(entry.path());
  std::sort(directories.begin(), directories.end());
  for (const fs::path& directory : directories) {
    const StatusOr<std::string> bytes = ReadFile(directory / "model.onnx");
    if (!bytes.ok()) continue;
    const StatusOr<Graph> graph = ImportOnnx(*bytes);
    if (!graph.ok()) continue;
    const StatusOr<Partition> partition = PartitionGraph(*graph);
    ASSERT_TRUE(partition.ok()) << partition.status();
    for (const Workload& workload : partition->workloads) {
      if (!IsComparable(workload) || !seen.insert(StructuralHash(workload)).second) continue;
      const Status status = CheckWorkload(workload, target, random, rng);
      EXPECT_TRUE(status.ok()) << directory.filename() << ": " << status << "\n" << ToText(workload);
    }
  }
}

}  // namespace
}  // namespace tilth
