/* A small thread pool for the phases of kernels: runs `num_tasks` independent tasks and returns when all are done. */
#ifndef TILTH_COMPILER_RUNTIME_THREAD_POOL_H_
#define TILTH_COMPILER_RUNTIME_THREAD_POOL_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct TilthPool TilthPool;
typedef void (*TilthTask)(void* const* buffers, int64_t task, void* scratch);

/* A pool of `threads` threads, of which the caller of TilthPoolRun is one; 1 starts none. Each thread owns
 * `scratch_bytes` of scratch, aligned to 64 bytes. Null when memory runs out; fewer threads when the system refuses. */
TilthPool* TilthPoolCreate(int threads, int64_t scratch_bytes);
int TilthPoolThreads(const TilthPool* pool);

/* Runs tasks 0 … num_tasks-1, at most 2^31 - 1 of them, in any order on any thread. Not reentrant. */
void TilthPoolRun(TilthPool* pool, TilthTask run, void* const* buffers, int64_t num_tasks);

/* Joins the threads. No run may be going on. */
void TilthPoolDestroy(TilthPool* pool);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* TILTH_COMPILER_RUNTIME_THREAD_POOL_H_ */
