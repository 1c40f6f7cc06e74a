/* The static plan inside a model library: kernel calls in order, and where each of their buffers lives. Written by
 * compiler/package, read by model_runtime.c; both are of one build, so it carries no version of its own. */
#ifndef TILTH_COMPILER_RUNTIME_MODEL_PLAN_H_
#define TILTH_COMPILER_RUNTIME_MODEL_PLAN_H_

#include <stdint.h>

#include "compiler/runtime/kernel_abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TILTH_PLAN_SYMBOL "tilth_model_plan"

enum TilthPlanSpace {
  TILTH_SPACE_NONE = 0,    /* a buffer that no run phase touches: null */
  TILTH_SPACE_INPUT = 1,   /* value: number of the graph input */
  TILTH_SPACE_OUTPUT = 2,  /* value: number of the graph output */
  TILTH_SPACE_ARENA = 3,   /* value: byte offset into the instance's arena */
  TILTH_SPACE_WEIGHTS = 4, /* value: byte offset into the weights */
};

typedef struct TilthPlanBinding {
  int64_t space; /* TilthPlanSpace */
  int64_t value;
} TilthPlanBinding;

typedef struct TilthPlanCall {
  const TilthKernel* kernel;
  const TilthPlanBinding* bindings; /* one per buffer of the kernel */
} TilthPlanCall;

/* After the calls: output `output` is a copy of `size_bytes` bytes from `source`. For outputs that no kernel writes
 * directly: a constant, an input, the same tensor twice. */
typedef struct TilthPlanCopy {
  TilthPlanBinding source;
  int64_t output;
  int64_t size_bytes;
} TilthPlanCopy;

typedef struct TilthModelPlan {
  const TilthPlanCall* calls;
  const TilthPlanCopy* copies;
  const void* weights;
  int64_t weight_bytes;
  int64_t num_calls;
  int64_t num_copies;
  int64_t num_inputs;
  int64_t num_outputs;
  int64_t num_bindings; /* of all calls together */
  int64_t arena_bytes;
  int64_t default_threads;
} TilthModelPlan;

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* TILTH_COMPILER_RUNTIME_MODEL_PLAN_H_ */
