// Our side of `scripts/bench kernels`: tunes the shape it is asked for (or takes it from the log), then times it in
// this process as the other peers time theirs.
//
//   tilth_peer LOG TRIALS
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <iostream>

#include "bench/peers/shape_workload.h"
#include "compiler/build_kernel.h"
#include "compiler/loaded_kernel.h"
#include "db/tuning_log.h"
#include "tuner/selection.h"
#include "tuner/session.h"

namespace tilth::bench {
namespace {

// The last core of those allowed, where the driver puts the other peers.
void PinToLastCore() {
  cpu_set_t allowed, last;
  CPU_ZERO(&last);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  for (int cpu = CPU_SETSIZE - 1; cpu >= 0; --cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    CPU_SET(cpu, &last);
    sched_setaffinity(0, sizeof last, &last);
    return;
  }
}

StatusOr<Kernel> Prepare(const Shape& shape, const Target& target, const std::string& log_path, int trials) {
  TILTH_ASSIGN_OR_RETURN(const Workload workload, WorkloadOf(shape));
  Partition partition;
  partition.workloads = {workload};
  partition.workloads[0].name = shape.kind;
  partition.weights = {1};
  KernelCall call;
  call.workload = 0;
  call.name = shape.kind;
  partition.calls = {call};

  TuneOptions options;
  options.model_name = shape.kind;
  options.model_hash = StructuralHash(workload);
  options.log_path = log_path;
  options.target = target;
  options.trials = trials;
  const std::atomic<bool> stop{false};
  TILTH_RETURN_IF_ERROR(Tune(partition, options, nullptr, &stop).status(), "tuning");

  TILTH_ASSIGN_OR_RETURN(auto space, SearchSpace::Create(workload, target));
  TILTH_ASSIGN_OR_RETURN(auto log, TuningLog::Open(log_path, {.mode = TuningLog::Mode::kReadOnly}));
  TILTH_ASSIGN_OR_RETURN(const Selection selection, SelectCandidate(*space, log.get()));
  std::cerr << "tilth: " << ToJson(selection.decisions) << " recorded " << selection.median_ns << " ns\n";
  TILTH_ASSIGN_OR_RETURN(const Artifact artifact, BuildArtifact(*space, selection.candidate));
  TILTH_ASSIGN_OR_RETURN(std::shared_ptr<LoadedKernel> kernel, LoadedKernel::Load(artifact.shared_object));
  PinToLastCore();
  auto memory = std::make_shared<std::vector<AlignedBytes>>();
  std::vector<void*> buffers;
  for (uint32_t i = 0; i < kernel->abi().num_buffers; ++i) {
    const int64_t bytes = kernel->abi().buffers[i].size_bytes;
    memory->push_back(AllocateAligned(bytes));
    buffers.push_back(memory->back().get());
    const std::vector<float> values = RandomFloats(bytes / 4);
    std::copy(values.begin(), values.end(), static_cast<float*>(buffers.back()));
  }
  kernel->Run(TILTH_PHASE_PREPARE, buffers.data());
  return Kernel([kernel, memory, buffers] { kernel->Run(TILTH_PHASE_RUN, buffers.data()); });
}

}  // namespace
}  // namespace tilth::bench

int main(int argc, char** argv) {
  using namespace tilth;
  if (argc != 3 || std::atoi(argv[2]) < 0) {
    std::cerr << "usage: tilth_peer LOG TRIALS\n";
    return 2;
  }
  const StatusOr<Target> target = ParseTarget("native");
  if (!target.ok()) {
    std::cerr << "tilth_peer: error: " << target.status().message() << "\n";
    return 1;
  }
  cpu_set_t every_core;
  sched_getaffinity(0, sizeof every_core, &every_core);
  return bench::ServePeer("tilth", [&](const bench::Shape& shape) {
    sched_setaffinity(0, sizeof every_core, &every_core);  // the next shape is tuned with every core
    return bench::Prepare(shape, *target, argv[1], std::atoi(argv[2]));
  });
}
