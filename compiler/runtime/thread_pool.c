/* The thread pool of model libraries. A job is published by storing a ticket: its generation and the number of tasks
 * nobody has claimed yet, in one word, so that a claim (a compare-and-swap) can succeed only for the job whose fields
 * the thread has read, and a thread that wakes late finds nothing to claim. The caller waits for tasks, not for
 * threads. Waiting spins for a while, because phases of a model follow each other closely and a CPU that has gone idle
 * takes long to wake, then sleeps in a futex. */
#include "compiler/runtime/thread_pool.h"

#include <stddef.h>

#include "compiler/runtime/libc_calls.h"

enum {
  kMaxThreads = 256,
  kSpinNs = 1000000,
  kCrowdedSpinNs = 20000, /* with fewer CPUs than threads: somebody else may need this one */
  kPausesPerLook = 64,    /* at the clock */
  kMaskWords = 16,        /* 1,024 CPUs, the kernel's usual limit */
  kAlignment = 64,
  kFutexWaitPrivate = 128,
  kFutexWakePrivate = 129,
};

#if defined(__x86_64__)
enum { kSysFutex = 202, kSysGetTid = 186 };
static void Pause(void) { __builtin_ia32_pause(); }
#elif defined(__aarch64__)
enum { kSysFutex = 98, kSysGetTid = 178 };
static void Pause(void) { __asm__ volatile("yield"); }
#else
#error "no system call numbers for this architecture"
#endif

typedef struct Worker {
  TilthPool* pool;
  void* scratch;
  TilthThread thread;
  int tid; /* 0 until it runs */
} Worker;

struct TilthPool {
  _Alignas(kAlignment) uint64_t ticket; /* generation << 32 | unclaimed tasks */
  /* Fields of the current job; written only while the ticket has no unclaimed task. */
  TilthTask run;
  void* const* buffers;
  uint32_t num_tasks;
  _Alignas(kAlignment) uint32_t unfinished; /* tasks; futex of the caller */
  uint32_t caller_sleeps;
  _Alignas(kAlignment) uint32_t epoch; /* counts jobs; futex of the workers */
  uint32_t sleepers;
  uint32_t stop;
  int threads;
  int64_t spin_ns;
  uint64_t cpus[kMaskWords]; /* that the threads may run on */
  int num_cpus;
  int avoided_cpu; /* that all workers stay off; -1: none */
  void* scratch;
  Worker workers[kMaxThreads];
};

static void FutexWait(uint32_t* word, uint32_t expected) {
  syscall(kSysFutex, word, kFutexWaitPrivate, expected, NULL);
}
static void FutexWake(uint32_t* word, int count) { syscall(kSysFutex, word, kFutexWakePrivate, count); }

static int64_t NowNs(void) {
  struct TilthTimespec now;
  clock_gettime(kTilthClockMonotonic, &now);
  return now.seconds * 1000000000 + now.nanoseconds;
}

/* Returns 1 as soon as `is_over` does, 0 when `spin_ns` have passed. */
static int Spin(const TilthPool* pool, int (*is_over)(const TilthPool*)) {
  int64_t end = 0;
  for (uint32_t pauses = 0;; ++pauses) {
    if (is_over(pool)) return 1;
    if (pauses % kPausesPerLook == kPausesPerLook - 1) {
      const int64_t now = NowNs();
      if (end == 0) end = now + pool->spin_ns;
      if (now >= end) return 0;
    }
    Pause();
  }
}

/* Claims and runs tasks until none is left to claim: many at a time first, single ones in the end, for balance. */
static void WorkOnJob(TilthPool* pool, void* scratch) {
  const uint32_t parts = 2 * (uint32_t)pool->threads;
  uint64_t ticket = __atomic_load_n(&pool->ticket, __ATOMIC_ACQUIRE);
  for (;;) {
    const uint32_t unclaimed = (uint32_t)ticket;
    if (unclaimed == 0) return;
    const TilthTask run = __atomic_load_n(&pool->run, __ATOMIC_RELAXED);
    void* const* const buffers = __atomic_load_n(&pool->buffers, __ATOMIC_RELAXED);
    const uint32_t num_tasks = __atomic_load_n(&pool->num_tasks, __ATOMIC_RELAXED);
    const uint32_t count = unclaimed < parts ? 1 : unclaimed / parts;
    if (!__atomic_compare_exchange_n(&pool->ticket, &ticket, ticket - count, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
      continue;
    }
    const int64_t first = (int64_t)num_tasks - unclaimed;
    for (int64_t task = first; task < first + count; ++task) run(buffers, task, scratch);
    if (__atomic_sub_fetch(&pool->unfinished, count, __ATOMIC_SEQ_CST) == 0 &&
        __atomic_load_n(&pool->caller_sleeps, __ATOMIC_SEQ_CST)) {
      FutexWake(&pool->unfinished, 1);
    }
    ticket = __atomic_load_n(&pool->ticket, __ATOMIC_ACQUIRE);
  }
}

static int HasJobOrStops(const TilthPool* pool) {
  return (uint32_t)__atomic_load_n(&pool->ticket, __ATOMIC_ACQUIRE) != 0 ||
         __atomic_load_n(&pool->stop, __ATOMIC_ACQUIRE);
}

/* Returns when there may be work, or the pool stops. */
static void AwaitJob(TilthPool* pool) {
  if (Spin(pool, HasJobOrStops)) return;
  __atomic_add_fetch(&pool->sleepers, 1, __ATOMIC_SEQ_CST);
  const uint32_t epoch = __atomic_load_n(&pool->epoch, __ATOMIC_SEQ_CST);
  if ((uint32_t)__atomic_load_n(&pool->ticket, __ATOMIC_SEQ_CST) == 0 &&
      !__atomic_load_n(&pool->stop, __ATOMIC_SEQ_CST)) {
    FutexWait(&pool->epoch, epoch);
  }
  __atomic_sub_fetch(&pool->sleepers, 1, __ATOMIC_SEQ_CST);
}

static void* WorkerMain(void* argument) {
  Worker* const worker = argument;
  TilthPool* const pool = worker->pool;
  __atomic_store_n(&worker->tid, (int)syscall(kSysGetTid), __ATOMIC_RELEASE);
  while (!__atomic_load_n(&pool->stop, __ATOMIC_ACQUIRE)) {
    WorkOnJob(pool, worker->scratch);
    AwaitJob(pool);
  }
  return NULL;
}

static void WakeWorkers(TilthPool* pool) {
  __atomic_add_fetch(&pool->epoch, 1, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&pool->sleepers, __ATOMIC_SEQ_CST) != 0) FutexWake(&pool->epoch, kMaxThreads);
}

/* Keeps the workers off the caller's CPU, where others are left for all of them. The kernel likes to wake a thread on
 * the CPU of whoever wakes it, and to move the caller to a worker's; the two together are slower than the caller alone.
 * The caller itself stays free to move: it is not ours. */
static void LeaveCpuToCaller(TilthPool* pool) {
  const int cpu = sched_getcpu();
  if (cpu == pool->avoided_cpu || pool->num_cpus < pool->threads || cpu < 0 || cpu >= 64 * kMaskWords) return;
  uint64_t mask[kMaskWords];
  memcpy(mask, pool->cpus, sizeof(mask));
  mask[cpu / 64] &= ~(UINT64_C(1) << (cpu % 64));
  for (int i = 1; i < pool->threads; ++i) {
    const int tid = __atomic_load_n(&pool->workers[i].tid, __ATOMIC_ACQUIRE);
    if (tid == 0) return; /* not started yet: all of them the next time */
    sched_setaffinity(tid, sizeof(mask), mask);
  }
  pool->avoided_cpu = cpu;
}

static void FindCpus(TilthPool* pool) {
  if (sched_getaffinity(0, sizeof(pool->cpus), pool->cpus) != 0) return;
  for (int i = 0; i < kMaskWords; ++i) pool->num_cpus += __builtin_popcountll(pool->cpus[i]);
}

static int IsFinished(const TilthPool* pool) { return __atomic_load_n(&pool->unfinished, __ATOMIC_ACQUIRE) == 0; }

TilthPool* TilthPoolCreate(int threads, int64_t scratch_bytes) {
  if (threads < 1) threads = 1;
  if (threads > kMaxThreads) threads = kMaxThreads;
  const size_t stride = ((size_t)scratch_bytes + kAlignment - 1) / kAlignment * kAlignment;
  TilthPool* const pool = aligned_alloc(kAlignment, sizeof(TilthPool));
  if (pool == NULL) return NULL;
  *pool = (TilthPool){.threads = 1, .avoided_cpu = -1};
  FindCpus(pool);
  pool->spin_ns = pool->num_cpus < threads ? kCrowdedSpinNs : kSpinNs;
  if (stride != 0) {
    pool->scratch = aligned_alloc(kAlignment, stride * (size_t)threads);
    if (pool->scratch == NULL) {
      free(pool);
      return NULL;
    }
  }
  for (int i = 0; i < threads; ++i) {
    pool->workers[i].pool = pool;
    pool->workers[i].scratch = stride == 0 ? NULL : (char*)pool->scratch + stride * (size_t)i;
  }
  for (int i = 1; i < threads; ++i) {
    if (pthread_create(&pool->workers[i].thread, NULL, WorkerMain, &pool->workers[i]) != 0) break;
    pool->threads = i + 1;
  }
  return pool;
}

int TilthPoolThreads(const TilthPool* pool) { return pool->threads; }

void TilthPoolRun(TilthPool* pool, TilthTask run, void* const* buffers, int64_t num_tasks) {
  void* const scratch = pool->workers[0].scratch;
  if (pool->threads == 1 || num_tasks <= 1) {
    for (int64_t task = 0; task < num_tasks; ++task) run(buffers, task, scratch);
    return;
  }
  LeaveCpuToCaller(pool);
  __atomic_store_n(&pool->run, run, __ATOMIC_RELAXED);
  __atomic_store_n(&pool->buffers, buffers, __ATOMIC_RELAXED);
  __atomic_store_n(&pool->num_tasks, (uint32_t)num_tasks, __ATOMIC_RELAXED);
  __atomic_store_n(&pool->unfinished, (uint32_t)num_tasks, __ATOMIC_RELAXED);
  const uint64_t generation = (__atomic_load_n(&pool->ticket, __ATOMIC_RELAXED) >> 32) + 1;
  __atomic_store_n(&pool->ticket, generation << 32 | (uint32_t)num_tasks, __ATOMIC_SEQ_CST);
  WakeWorkers(pool);
  WorkOnJob(pool, scratch);

  if (Spin(pool, IsFinished)) return;
  __atomic_store_n(&pool->caller_sleeps, 1, __ATOMIC_SEQ_CST);
  for (uint32_t left; (left = __atomic_load_n(&pool->unfinished, __ATOMIC_SEQ_CST)) != 0;) {
    FutexWait(&pool->unfinished, left);
  }
  __atomic_store_n(&pool->caller_sleeps, 0, __ATOMIC_SEQ_CST);
}

void TilthPoolDestroy(TilthPool* pool) {
  __atomic_store_n(&pool->stop, 1, __ATOMIC_SEQ_CST);
  WakeWorkers(pool);
  for (int i = 1; i < pool->threads; ++i) pthread_join(pool->workers[i].thread, NULL);
  free(pool->scratch);
  free(pool);
}
