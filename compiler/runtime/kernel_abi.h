/* The kernel ABI: what a compiled kernel artifact exports and how a host runs it. Plain C, versioned, no dependencies.
 *
 * An artifact is a shared object that exports one data symbol, `tilth_kernel` (TILTH_KERNEL_SYMBOL), of type
 * TilthKernel. A kernel computes its outputs from its inputs in one or more phases. A phase is `num_tasks` independent
 * tasks: the host may run them in any order on any number of threads, and must finish a phase before it begins the
 * next. The kernel starts no threads, allocates nothing, keeps no state and calls no library.
 *
 * Buffers. `run` receives one pointer per entry of `buffers`, in that order, each aligned to 64 bytes:
 *   TILTH_BUFFER_INPUT      read-only data of the caller, dense row-major in `shape`
 *   TILTH_BUFFER_CONSTANT   weights as the model has them; read by prepare phases, and by run phases when not packed
 *   TILTH_BUFFER_OUTPUT     written by run phases; may be partly written (a kernel may fill one slice of a larger
 * tensor) TILTH_BUFFER_PACKED     weights re-arranged by the prepare phases, then read-only TILTH_BUFFER_WORKSPACE
 * written and read by run phases; contents do not survive a run Prepare phases depend on constants only, and run once
 * (when a library is built, or before a measurement).
 *
 * A host refuses an artifact whose `magic` or `abi_version` it does not know.
 */
#ifndef TILTH_COMPILER_RUNTIME_KERNEL_ABI_H_
#define TILTH_COMPILER_RUNTIME_KERNEL_ABI_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TILTH_KERNEL_MAGIC 0x4e524b544cull /* "LTKRN" */
#define TILTH_KERNEL_ABI_VERSION 1u
#define TILTH_KERNEL_SYMBOL "tilth_kernel"
#define TILTH_BUFFER_ALIGNMENT 64

enum TilthBufferKind {
  TILTH_BUFFER_INPUT = 0,
  TILTH_BUFFER_CONSTANT = 1,
  TILTH_BUFFER_OUTPUT = 2,
  TILTH_BUFFER_PACKED = 3,
  TILTH_BUFFER_WORKSPACE = 4,
};

/* Element types; the values are part of the ABI. */
enum TilthDType {
  TILTH_F32 = 0,
  TILTH_F16 = 1,
  TILTH_BF16 = 2,
  TILTH_I8 = 3,
  TILTH_I32 = 4,
  TILTH_I64 = 5,
  TILTH_BOOL = 6,
};

enum TilthPhaseKind {
  TILTH_PHASE_PREPARE = 0,
  TILTH_PHASE_RUN = 1,
};

typedef struct TilthBuffer {
  int32_t kind;  /* TilthBufferKind */
  int32_t dtype; /* TilthDType */
  int64_t num_elements;
  int64_t size_bytes; /* what the host must allocate; at least num_elements * element size */
} TilthBuffer;

typedef struct TilthPhase {
  int32_t kind; /* TilthPhaseKind */
  int32_t reserved;
  int64_t num_tasks;     /* >= 0 */
  int64_t scratch_bytes; /* per running task, 64-byte aligned, uninitialised; 0: scratch may be null */
  void (*run)(void* const* buffers, int64_t task, void* scratch);
} TilthPhase;

typedef struct TilthKernel {
  uint64_t magic;
  uint32_t abi_version;
  uint32_t num_buffers;
  uint32_t num_phases; /* prepare phases come before run phases */
  uint32_t reserved;
  const TilthBuffer* buffers;
  const TilthPhase* phases;
} TilthKernel;

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* TILTH_COMPILER_RUNTIME_KERNEL_ABI_H_ */
