/* The few libc functions of Linux that the deployable runtime calls, declared here because it is compiled for targets
 * whose system headers are not installed. They resolve in the process that loads the library. */
#ifndef TILTH_COMPILER_RUNTIME_LIBC_CALLS_H_
#define TILTH_COMPILER_RUNTIME_LIBC_CALLS_H_

#include <stddef.h>
#include <stdint.h>

typedef unsigned long TilthThread; /* pthread_t of glibc and musl on 64-bit Linux */

struct TilthTimespec {
  int64_t seconds;
  int64_t nanoseconds;
};
enum { kTilthClockMonotonic = 1, kTilthMadviseDontNeed = 4, kTilthMadviseHugePage = 14 };

void* aligned_alloc(size_t alignment, size_t size);
void* calloc(size_t count, size_t size);
void free(void* memory);
void* memcpy(void* restrict to, const void* restrict from, size_t size);
int madvise(void* memory, size_t size, int advice);
int clock_gettime(int clock, struct TilthTimespec* time);
int pthread_create(TilthThread* thread, const void* attributes, void* (*start)(void*), void* argument);
int pthread_join(TilthThread thread, void** result);
int sched_getaffinity(int thread, size_t mask_bytes, void* mask);
int sched_setaffinity(int thread, size_t mask_bytes, const void* mask);
int sched_getcpu(void);
int sched_yield(void);
long syscall(long number, ...);

#endif /* TILTH_COMPILER_RUNTIME_LIBC_CALLS_H_ */
