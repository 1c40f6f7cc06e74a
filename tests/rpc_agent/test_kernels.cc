#include "rpc_agent/test_kernels.h"

#include <map>

#include "base/files.h"
#include "base/subprocess.h"

namespace tilth {

StatusOr<std::string> Compile(const TestKernel& kernel) {
  static auto* compiled = new std::map<std::string, std::string>;
  const std::string source = StrCat(
      "#include <compiler/runtime/kernel_abi.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n"
      "#include <unistd.h>\n#define N ",
      kernel.n, "\n", kernel.preamble,
      "\nstatic void run(void* const* buffers, int64_t task, void* scratch) {\n"
      "  const float* x = buffers[0]; const float* w = buffers[1]; float* y = buffers[2]; (void)task; (void)scratch;\n"
      "  (void)x; (void)w; (void)y;\n",
      kernel.run_body,
      "\n}\n"
      "static const TilthBuffer buffers[] = {{0, 0, N, 4 * N}, {1, 0, 10, 40}, {2, 0, N, 4 * N}};\n"
      "static const TilthPhase phases[] = {{TILTH_PHASE_RUN, 0, 1, 0, run}};\n"
      "const TilthKernel tilth_kernel = {TILTH_KERNEL_MAGIC, ",
      kernel.abi_version, ", 3, 1, 0, buffers, phases};\n");
  if (auto known = compiled->find(source); known != compiled->end()) return known->second;
  TILTH_ASSIGN_OR_RETURN(const TempDir dir, TempDir::Create());
  TILTH_RETURN_IF_ERROR(WriteFile(dir.File("kernel.c"), source));
  TILTH_ASSIGN_OR_RETURN(const SubprocessOutput output,
                         RunSubprocess({.argv = {"cc", "-O1", "-w", "-D_GNU_SOURCE", "-shared", "-fPIC", "-I",
                                                 TILTH_SOURCE_DIR, dir.File("kernel.c"), "-o", dir.File("kernel.so")},
                                        .stderr_to = ChildStream::kCapture},
                                       "", 60'000));
  if (!output.exit.Success()) return absl::InternalError(StrCat("cc: ", output.stderr_text));
  TILTH_ASSIGN_OR_RETURN((*compiled)[source], ReadFile(dir.File("kernel.so")));
  return (*compiled)[source];
}

Trial MakeTrial(const std::string& id, const std::string& artifact_hash, const std::string& baseline_hash) {
  Trial trial;
  trial.trial_id = id;
  trial.artifact_hash = artifact_hash;
  trial.baseline_hash = baseline_hash;
  trial.seed = 17;
  trial.tolerances = {{.rtol = 1e-5, .atol = 1e-6}};
  trial.options = {.max_repeats = 20, .warmup_ns = 100'000, .time_budget_ns = 2'000'000, .min_sample_ns = 10'000};
  trial.run_deadline_ms = 5'000;
  return trial;
}

}  // namespace tilth
