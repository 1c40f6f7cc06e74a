/* The model ABI: what a library made by `tilth build` exports, and how a program runs it. Plain C, versioned.
 *
 * A model library exports one data symbol, `tilth_model` (TILTH_MODEL_SYMBOL), of type TilthModel; a host that loads
 * libraries at run time looks it up with dlsym and calls through its function pointers. The same symbol and thin
 * functions are exported under the model's own name too (see the header NAME.h beside the library), so that several
 * models link into one program.
 *
 * The library needs libc and nothing else: weights, plan, kernels and thread pool are inside. It reads no file, no
 * environment variable and writes nothing but the caller's outputs.
 *
 * A host refuses a library whose `magic` or `abi_version` it does not know.
 */
#ifndef TILTH_COMPILER_RUNTIME_MODEL_ABI_H_
#define TILTH_COMPILER_RUNTIME_MODEL_ABI_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TILTH_MODEL_MAGIC 0x4c444d544cull /* "LTMDL" */
#define TILTH_MODEL_ABI_VERSION 1u
#define TILTH_MODEL_SYMBOL "tilth_model"

/* What `run` returns. */
enum TilthModelStatus {
  TILTH_MODEL_OK = 0,
  TILTH_MODEL_NULL_POINTER = 1, /* the instance, or one of the inputs or outputs */
};

/* A graph input or output: dense, row-major, in the layout that the ONNX model declares. */
typedef struct TilthModelTensor {
  const char* name;
  const int64_t* shape; /* `rank` extents */
  int32_t rank;
  int32_t dtype; /* TilthDType of kernel_abi.h */
  int64_t size_bytes;
} TilthModelTensor;

/* One kernel call of the model, in the order of execution. */
typedef struct TilthModelKernel {
  const char* name;     /* for people: "conv2d 3x3 64x56x56->64 +relu" */
  const char* workload; /* structural hash; equal for calls of the same kernel */
  int32_t tuned;        /* 1: the schedule comes from a verified measurement in the tuning log; 0: an untuned default */
  int32_t reserved;
} TilthModelKernel;

/* Memory and threads for one run at a time. Instances are independent: several threads may each run their own at the
 * same time, and all share the weights. */
typedef struct TilthModelInstance TilthModelInstance;

typedef struct TilthModel TilthModel;
struct TilthModel {
  uint64_t magic;
  uint32_t abi_version;
  uint32_t num_inputs;
  uint32_t num_outputs;
  uint32_t num_kernels;
  const char* name;
  const char* target; /* what the code was generated for, as `--target` took it */
  const TilthModelTensor* inputs;
  const TilthModelTensor* outputs;
  const TilthModelKernel* kernels;
  int64_t weight_bytes;    /* inside the library, and copied once for all instances when that makes them faster */
  int64_t arena_bytes;     /* intermediate tensors of one instance */
  int32_t default_threads; /* used for create(0); 0: every CPU that the process may run on */
  int32_t reserved;

  /* Allocates the arena and starts threads - 1 threads (the caller's is the first; 1 starts none). 0 threads: the
   * default above. Returns null when memory runs out. If the system refuses a thread the instance has fewer. */
  TilthModelInstance* (*create)(int32_t threads);
  int32_t (*num_threads)(const TilthModelInstance* instance);

  /* Computes all outputs from all inputs. `inputs` and `outputs` hold one pointer per table entry, aligned to the
   * element and not overlapping. Returns a TilthModelStatus. With `kernel_ns` not null, adds the wall time of kernel
   * call i to kernel_ns[i]. */
  int32_t (*run)(TilthModelInstance* instance, const void* const* inputs, void* const* outputs, uint64_t* kernel_ns);

  /* Joins the threads and frees everything; null is allowed. No run may be going on. */
  void (*destroy)(TilthModelInstance* instance);
};

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* TILTH_COMPILER_RUNTIME_MODEL_ABI_H_ */
