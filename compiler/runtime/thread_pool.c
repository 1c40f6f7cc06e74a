/* The thread pool of model libraries. A job is published by storing a ticket: its generation and the number of tasks
 * nobody has claimed yet, in one word, so that a claim (a compare-and-swap) can succeed only for the job whose fields
 * the thread has read, and a thread that wakes late finds nothing to claim. The caller waits for tasks, not for
 * threads. Waiting spins for some microseconds, because phases of a model follow each other closely, then sleeps in a
 * futex. */
#include "compiler/runtime/thread_pool.h"

#include <stddef.h>

#include "compiler/runtime/libc_calls.h"

enum {
  kMaxThreads = 256,
  kSpins = 4096,        /* some 40 microseconds on current cores */
  kClaimsPerThread = 8, /* a job is cut into about this many claims per thread, for balance */
  kAlignment = 64,
  kFutexWaitPrivate = 128,
  kFutexWakePrivate = 129,
};

#if defined(__x86_64__)
enum { kSysFutex = 202 };
static void Pause(void) { __builtin_ia32_pause(); }
#elif defined(__aarch64__)
enum { kSysFutex = 98 };
static void Pause(void) { __asm__ volatile("yield"); }
#else
#error "no futex number for this architecture"
#endif

typedef struct Worker {
  TilthPool* pool;
  void* scratch;
  TilthThread thread;
} Worker;

struct TilthPool {
  _Alignas(kAlignment) uint64_t ticket; /* generation << 32 | unclaimed tasks */
  /* Fields of the current job; written only while the ticket has no unclaimed task. */
  TilthTask run;
  void* const* buffers;
  uint32_t num_tasks;
  uint32_t claim;
  _Alignas(kAlignment) uint32_t unfinished; /* tasks; futex of the caller */
  uint32_t caller_sleeps;
  _Alignas(kAlignment) uint32_t epoch; /* counts jobs; futex of the workers */
  uint32_t sleepers;
  uint32_t stop;
  int threads;
  int wanted_threads, caller_cpu; /* when the pool was made */
  void* scratch;
  Worker workers[kMaxThreads];
};

static void FutexWait(uint32_t* word, uint32_t expected) {
  syscall(kSysFutex, word, kFutexWaitPrivate, expected, NULL);
}
static void FutexWake(uint32_t* word, int count) { syscall(kSysFutex, word, kFutexWakePrivate, count); }

/* Claims and runs tasks until none is left to claim. */
static void WorkOnJob(TilthPool* pool, void* scratch) {
  uint64_t ticket = __atomic_load_n(&pool->ticket, __ATOMIC_ACQUIRE);
  for (;;) {
    const uint32_t unclaimed = (uint32_t)ticket;
    if (unclaimed == 0) return;
    const TilthTask run = __atomic_load_n(&pool->run, __ATOMIC_RELAXED);
    void* const* const buffers = __atomic_load_n(&pool->buffers, __ATOMIC_RELAXED);
    const uint32_t num_tasks = __atomic_load_n(&pool->num_tasks, __ATOMIC_RELAXED);
    const uint32_t claim = __atomic_load_n(&pool->claim, __ATOMIC_RELAXED);
    const uint32_t count = claim < unclaimed ? claim : unclaimed;
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

/* Returns when there may be work, or the pool stops. */
static void AwaitJob(TilthPool* pool) {
  for (int spin = 0; spin < kSpins; ++spin) {
    if ((uint32_t)__atomic_load_n(&pool->ticket, __ATOMIC_ACQUIRE) != 0) return;
    Pause();
  }
  __atomic_add_fetch(&pool->sleepers, 1, __ATOMIC_SEQ_CST);
  const uint32_t epoch = __atomic_load_n(&pool->epoch, __ATOMIC_SEQ_CST);
  if ((uint32_t)__atomic_load_n(&pool->ticket, __ATOMIC_SEQ_CST) == 0 &&
      !__atomic_load_n(&pool->stop, __ATOMIC_SEQ_CST)) {
    FutexWait(&pool->epoch, epoch);
  }
  __atomic_sub_fetch(&pool->sleepers, 1, __ATOMIC_SEQ_CST);
}

/* Keeps this thread off the CPU `cpu` where others are left for all workers. The kernel likes to wake a thread on the
 * CPU of whoever wakes it; the caller and a worker that share a CPU are slower together than the caller alone. */
static void LeaveCpu(int cpu, int threads) {
  uint64_t mask[16] = {0}; /* 1,024 CPUs, the kernel's usual limit */
  int cpus = 0;
  if (cpu < 0 || cpu >= 1024 || sched_getaffinity(0, sizeof(mask), mask) < 0) return;
  for (size_t i = 0; i < sizeof(mask) / sizeof(mask[0]); ++i) cpus += __builtin_popcountll(mask[i]);
  if (cpus < threads) return;
  mask[cpu / 64] &= ~(UINT64_C(1) << (cpu % 64));
  sched_setaffinity(0, sizeof(mask), mask);
}

static void* WorkerMain(void* argument) {
  Worker* const worker = argument;
  TilthPool* const pool = worker->pool;
  LeaveCpu(pool->caller_cpu, pool->wanted_threads);
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

TilthPool* TilthPoolCreate(int threads, int64_t scratch_bytes) {
  if (threads < 1) threads = 1;
  if (threads > kMaxThreads) threads = kMaxThreads;
  const size_t stride = ((size_t)scratch_bytes + kAlignment - 1) / kAlignment * kAlignment;
  TilthPool* const pool = aligned_alloc(kAlignment, sizeof(TilthPool));
  if (pool == NULL) return NULL;
  *pool = (TilthPool){.threads = 1, .wanted_threads = threads, .caller_cpu = sched_getcpu()};
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
  const int64_t claim = num_tasks / ((int64_t)pool->threads * kClaimsPerThread);
  __atomic_store_n(&pool->run, run, __ATOMIC_RELAXED);
  __atomic_store_n(&pool->buffers, buffers, __ATOMIC_RELAXED);
  __atomic_store_n(&pool->num_tasks, (uint32_t)num_tasks, __ATOMIC_RELAXED);
  __atomic_store_n(&pool->claim, claim < 1 ? 1u : (uint32_t)claim, __ATOMIC_RELAXED);
  __atomic_store_n(&pool->unfinished, (uint32_t)num_tasks, __ATOMIC_RELAXED);
  const uint64_t generation = (__atomic_load_n(&pool->ticket, __ATOMIC_RELAXED) >> 32) + 1;
  __atomic_store_n(&pool->ticket, generation << 32 | (uint32_t)num_tasks, __ATOMIC_SEQ_CST);
  WakeWorkers(pool);
  WorkOnJob(pool, scratch);

  for (int spin = 0; spin < kSpins; ++spin) {
    if (__atomic_load_n(&pool->unfinished, __ATOMIC_ACQUIRE) == 0) return;
    Pause();
  }
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
