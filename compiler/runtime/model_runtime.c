/* Runs the static plan of a model library. Linked into every library that `tilth build` makes, for the library's own
 * target; compiled without system headers. */
#include "compiler/runtime/model_runtime.h"

#include <stddef.h>

#include "compiler/runtime/libc_calls.h"
#include "compiler/runtime/model_memory.h"
#include "compiler/runtime/model_plan.h"
#include "compiler/runtime/thread_pool.h"

/* Hidden: a program may hold several model libraries, each with a plan of its own. */
extern const TilthModelPlan tilth_model_plan __attribute__((visibility("hidden")));

struct TilthModelInstance {
  TilthPool* pool;
  const char* weights;
  char* arena;
  void** pointers; /* of every buffer of every call, in order */
};

static uint64_t NowNs(void) {
  struct TilthTimespec now;
  clock_gettime(kTilthClockMonotonic, &now);
  return (uint64_t)now.seconds * 1000000000u + (uint64_t)now.nanoseconds;
}

static int UsableCpus(void) {
  uint64_t mask[16] = {0}; /* 1,024 CPUs, the kernel's usual limit */
  int cpus = 0;
  if (sched_getaffinity(0, sizeof(mask), mask) != 0) return 1;
  for (size_t i = 0; i < sizeof(mask) / sizeof(mask[0]); ++i) {
    for (uint64_t bits = mask[i]; bits != 0; bits &= bits - 1) ++cpus;
  }
  return cpus;
}

static int64_t MaxScratchBytes(const TilthModelPlan* plan) {
  int64_t largest = 0;
  for (int64_t call = 0; call < plan->num_calls; ++call) {
    const TilthKernel* const kernel = plan->calls[call].kernel;
    for (uint32_t phase = 0; phase < kernel->num_phases; ++phase) {
      const int64_t bytes = kernel->phases[phase].scratch_bytes;
      if (bytes > largest) largest = bytes;
    }
  }
  return largest;
}

static void* Resolve(const TilthModelInstance* instance, TilthPlanBinding binding, const void* const* inputs,
                     void* const* outputs) {
  switch (binding.space) {
    case TILTH_SPACE_INPUT:
      return (void*)inputs[binding.value];
    case TILTH_SPACE_OUTPUT:
      return outputs[binding.value];
    case TILTH_SPACE_ARENA:
      return instance->arena + binding.value;
    case TILTH_SPACE_WEIGHTS:
      return (char*)instance->weights + binding.value;
    default:
      return NULL;
  }
}

TilthModelInstance* TilthModelCreate(int32_t threads) {
  const TilthModelPlan* const plan = &tilth_model_plan;
  if (threads <= 0) threads = (int32_t)plan->default_threads;
  if (threads <= 0) threads = UsableCpus();
  TilthModelInstance* const instance = calloc(1, sizeof(TilthModelInstance));
  if (instance == NULL) return NULL;
  instance->weights = TilthAcquireWeights(plan->weights, (size_t)plan->weight_bytes);
  instance->arena = TilthAllocateArena((size_t)plan->arena_bytes);
  instance->pointers = calloc((size_t)plan->num_bindings + 1, sizeof(void*));
  instance->pool = TilthPoolCreate(threads, MaxScratchBytes(plan));
  if (instance->arena == NULL || instance->pointers == NULL || instance->pool == NULL) {
    TilthModelDestroy(instance);
    return NULL;
  }
  return instance;
}

int32_t TilthModelNumThreads(const TilthModelInstance* instance) { return TilthPoolThreads(instance->pool); }

static void RunKernel(TilthModelInstance* instance, const TilthKernel* kernel, void* const* buffers) {
  for (uint32_t i = 0; i < kernel->num_phases; ++i) {
    const TilthPhase* const phase = &kernel->phases[i];
    if (phase->kind == TILTH_PHASE_RUN) TilthPoolRun(instance->pool, phase->run, buffers, phase->num_tasks);
  }
}

int32_t TilthModelRun(TilthModelInstance* instance, const void* const* inputs, void* const* outputs,
                      uint64_t* kernel_ns) {
  const TilthModelPlan* const plan = &tilth_model_plan;
  if (instance == NULL || (inputs == NULL && plan->num_inputs > 0) || (outputs == NULL && plan->num_outputs > 0)) {
    return TILTH_MODEL_NULL_POINTER;
  }
  for (int64_t i = 0; i < plan->num_inputs; ++i) {
    if (inputs[i] == NULL) return TILTH_MODEL_NULL_POINTER;
  }
  for (int64_t i = 0; i < plan->num_outputs; ++i) {
    if (outputs[i] == NULL) return TILTH_MODEL_NULL_POINTER;
  }
  void** buffers = instance->pointers;
  for (int64_t i = 0; i < plan->num_calls; ++i) {
    const TilthPlanCall* const call = &plan->calls[i];
    const uint64_t begin = kernel_ns == NULL ? 0 : NowNs();
    for (uint32_t b = 0; b < call->kernel->num_buffers; ++b) {
      buffers[b] = Resolve(instance, call->bindings[b], inputs, outputs);
    }
    RunKernel(instance, call->kernel, buffers);
    buffers += call->kernel->num_buffers;
    if (kernel_ns != NULL) kernel_ns[i] += NowNs() - begin;
  }
  for (int64_t i = 0; i < plan->num_copies; ++i) {
    const TilthPlanCopy* const copy = &plan->copies[i];
    memcpy(outputs[copy->output], Resolve(instance, copy->source, inputs, outputs), (size_t)copy->size_bytes);
  }
  return TILTH_MODEL_OK;
}

void TilthModelDestroy(TilthModelInstance* instance) {
  if (instance == NULL) return;
  if (instance->pool != NULL) TilthPoolDestroy(instance->pool);
  TilthReleaseWeights();
  free(instance->pointers);
  free(instance->arena);
  free(instance);
}
