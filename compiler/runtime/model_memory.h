/* The large pieces of memory of a model library, in huge pages where the system has them to give: kernels sweep whole
 * tensors, and each page that they touch costs an entry in the TLB. */
#ifndef TILTH_COMPILER_RUNTIME_MODEL_MEMORY_H_
#define TILTH_COMPILER_RUNTIME_MODEL_MEMORY_H_

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* At least `bytes` bytes at a multiple of TILTH_BUFFER_ALIGNMENT, for free(). Null when memory runs out. */
void* TilthAllocateArena(size_t bytes);

/* The weights of this library, `bytes` at `in_library`: a copy in huge pages that all users share, or the original
 * where a copy has no advantage. Pages of a file are small, and the weights are most of what a run reads. For any
 * thread; each call wants one call of TilthReleaseWeights, and the last of these frees the copy. */
const void* TilthAcquireWeights(const void* in_library, size_t bytes);
void TilthReleaseWeights(void);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* TILTH_COMPILER_RUNTIME_MODEL_MEMORY_H_ */
