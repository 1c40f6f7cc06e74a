// Our side of `scripts/bench kernels`: tunes the shape it is asked for (or takes it from the log), then times it in
// this process as the other peers time theirs.
//
//   tilth_peer LOG TRIALS
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <iostream>

#include "bench/peers/peer_loop.h"
#include "compiler/build_kernel.h"
#include "compiler/loaded_kernel.h"
#include "db/tuning_log.h"
#include "tuner/selection.h"
#include "tuner/session.h"

namespace tilth::bench {
namespace {

// c[m, n] = sum over k; the right operand is an input as in BLAS, or weights as in a network.
std::string MatmulText(const Shape& s) {
  return absl::StrFormat(
      "tilth workload 1\nt0 input f32[%d,%d]\nt1 %s f32[%d,%d]\nt2 output f32[%d,%d]\n"
      "t2[i0, i1] for i0:%d i1:%d = sum[r0:%d] (t0[i0, r0] * t1[r0, i1])\n",
      s.m, s.k, s.weights ? "constant" : "input", s.k, s.n, s.m, s.n, s.m, s.n, s.k);
}

// Where the window reads along one dimension: index, and the condition under which it is inside.
struct Window {
  std::string index, inside;
};
Window WindowOf(int axis, int reduce, int64_t stride, int64_t pad, int64_t extent) {
  std::string index = stride == 1 ? absl::StrFormat("i%d", axis) : absl::StrFormat("(i%d * %d)", axis, stride);
  index = absl::StrFormat("(%s + r%d)", index, reduce);
  if (pad == 0) return {index, ""};
  index = absl::StrFormat("(%s + -%d)", index, pad);
  return {index, absl::StrFormat("((0 <= %s) & (%s < %d))", index, index, extent)};
}

// A convolution on channels-last activations, weights as ONNX stores them.
std::string ConvolutionText(const Shape& s) {
  const int64_t height = (s.h + 2 * s.pad - s.kh) / s.stride + 1, width = (s.w + 2 * s.pad - s.kw) / s.stride + 1;
  const Window row = WindowOf(1, 0, s.stride, s.pad, s.h), column = WindowOf(2, 1, s.stride, s.pad, s.w);
  const bool depthwise = s.groups == s.c && s.o == s.c;
  std::string left = absl::StrFormat("t0[i0, %s, %s, %s]", row.index, column.index, depthwise ? "i3" : "r2");
  if (s.pad > 0) left = absl::StrFormat("select((%s & %s), %s, 0.0)", row.inside, column.inside, left);
  std::string text = absl::StrFormat("tilth workload 1\nt0 input f32[1,%d,%d,%d]\nt1 constant f32[%d,%d,%d,%d]\n", s.h,
                                     s.w, s.c, s.o, depthwise ? 1 : s.c, s.kh, s.kw);
  absl::StrAppendFormat(&text, "t2 output f32[1,%d,%d,%d]\nt2[i0, i1, i2, i3] for i0:1 i1:%d i2:%d i3:%d = ", height,
                        width, s.o, height, width, s.o);
  if (depthwise)
    absl::StrAppendFormat(&text, "sum[r0:%d r1:%d] (%s * t1[i3, 0, r0, r1])\n", s.kh, s.kw, left);
  else
    absl::StrAppendFormat(&text, "sum[r0:%d r1:%d r2:%d] (%s * t1[i3, r2, r0, r1])\n", s.kh, s.kw, s.c, left);
  return text;
}

StatusOr<Workload> WorkloadOf(const Shape& shape) {
  if (shape.kind == "matmul") return ParseWorkload(MatmulText(shape));
  if (shape.kind != "conv2d") return absl::UnimplementedError(StrCat("no kernel of kind ", shape.kind));
  if (shape.groups != 1 && (shape.groups != shape.c || shape.o != shape.c))
    return absl::UnimplementedError("grouped convolutions that are not depthwise");
  return ParseWorkload(ConvolutionText(shape));
}

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
