/* See model_memory.h. The state is one library's own. */
#include "compiler/runtime/model_memory.h"

#include <stdint.h>

#include "compiler/runtime/kernel_abi.h"
#include "compiler/runtime/libc_calls.h"

enum { kHugePageBytes = 2 << 20, kLargestSmallPage = 64 << 10 };

static uint32_t locked;
static uint32_t weight_users;
static void* weight_copy;

/* Null also when there can be no huge pages. */
static void* AllocateHuge(size_t bytes) {
  const size_t whole_pages = (bytes + kHugePageBytes - 1) / kHugePageBytes * kHugePageBytes;
  void* const memory = aligned_alloc(kHugePageBytes, whole_pages);
  if (memory != NULL && madvise(memory, whole_pages, kTilthMadviseHugePage) != 0) {
    free(memory);
    return NULL;
  }
  return memory;
}

void* TilthAllocateArena(size_t bytes) {
  void* const huge = bytes < kHugePageBytes ? NULL : AllocateHuge(bytes);
  return huge != NULL ? huge : aligned_alloc(TILTH_BUFFER_ALIGNMENT, bytes > 0 ? bytes : TILTH_BUFFER_ALIGNMENT);
}

static void* CopyToHugePages(const void* in_library, size_t bytes) {
  void* const copy = bytes < kHugePageBytes ? NULL : AllocateHuge(bytes);
  if (copy == NULL) return NULL;
  memcpy(copy, in_library, bytes);
  /* The pages of the file are read again if anybody asks for them. */
  const uintptr_t begin = ((uintptr_t)in_library + kLargestSmallPage - 1) / kLargestSmallPage * kLargestSmallPage;
  const uintptr_t end = ((uintptr_t)in_library + bytes) / kLargestSmallPage * kLargestSmallPage;
  madvise((void*)begin, end - begin, kTilthMadviseDontNeed);
  return copy;
}

static void Lock(void) {
  while (__atomic_exchange_n(&locked, 1, __ATOMIC_ACQUIRE)) sched_yield();
}
static void Unlock(void) { __atomic_store_n(&locked, 0, __ATOMIC_RELEASE); }

const void* TilthAcquireWeights(const void* in_library, size_t bytes) {
  Lock();
  if (weight_users++ == 0) weight_copy = CopyToHugePages(in_library, bytes);
  const void* const weights = weight_copy != NULL ? weight_copy : in_library;
  Unlock();
  return weights;
}

void TilthReleaseWeights(void) {
  Lock();
  if (--weight_users == 0) {
    free(weight_copy);
    weight_copy = NULL;
  }
  Unlock();
}
