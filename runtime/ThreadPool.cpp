// How a job moves: the caller fills in job_, then stores for every thread the number of grains in
// its share, which is what workers wait for. A grain is claimed by lowering a thread's count, and a
// thread that finds nothing more to claim reports how many it finished. A job ends when all its
// grains are reported; so a claim can only ever succeed on the job that is under way, and job_ is
// never written while somebody may read it.
#include "runtime/ThreadPool.h"

#include "runtime/Clock.h"
#include "runtime/CpuBudget.h"
#include "runtime/CpuTopology.h"

#include <csignal>
#include <cstdio>
#include <new>
#include <sched.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace enfold::rt {
namespace {

/// Tells the CPU that this is a waiting loop; 10 to 150 cycles.
void pauseCpu() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/// Pauses between two looks at the clock, whose reading costs as much as a few pauses.
constexpr int kPausesPerLook = 64;

/// How long the caller watches for the last grains before it offers its CPU to others.
constexpr int kPausesBeforeYield = 4096;

} // namespace

int64_t ThreadPool::Job::shareEnd(int32_t thread) const {
  const int64_t each = grains / threads;
  const int64_t longer = grains % threads; // the first shares get one grain more
  const int64_t shares = thread + 1;
  return each * shares + (shares < longer ? shares : longer);
}

enfold_status ThreadPool::start(const Options& options) {
  const size_t count = static_cast<size_t>(options.threads);
  if (!allocateScratch(options.scratchBytes, count) ||
      !stateMemory_.allocate(count * sizeof(ThreadState)))
    return ENFOLD_NO_MEMORY;
  states_ = reinterpret_cast<ThreadState*>(stateMemory_.data());
  for (int32_t i = 0; i < options.threads; ++i) new (&states_[i]) ThreadState;
  options_ = options;
  if (options.pinned) chooseCpus();
  oversubscribed_ = options.threads > 1 && options.threads > availableCpus();
  for (int32_t i = 1; i < options.threads; ++i) {
    if (startWorker(i)) continue;
    endWorkers(i);
    return ENFOLD_NO_THREADS;
  }
  return ENFOLD_OK;
}

bool ThreadPool::reserveScratch(size_t bytes) {
  return bytes <= scratchStride_ || allocateScratch(bytes, static_cast<size_t>(options_.threads));
}

bool ThreadPool::allocateScratch(size_t bytes, size_t count) {
  if (bytes > SIZE_MAX / 2 / count - kLinePair) return false;
  const size_t stride = (bytes + kLinePair - 1) / kLinePair * kLinePair;
  Memory scratch;
  if (!scratch.allocate(stride * count)) return false;
  scratch_.swap(scratch);
  scratchStride_ = stride;
  return true;
}

/// The first CPU is the caller's, if it is anywhere.
void ThreadPool::chooseCpus() {
  int32_t cpus[kMostCpus];
  const int32_t count = cpusByTopology(cpus, kMostCpus);
  for (int32_t i = 1; count > 0 && i < options_.threads; ++i) states_[i].cpu = cpus[i % count];
}

/// Ends the workers below `count`; the others were not started.
void ThreadPool::endWorkers(int32_t count) {
  for (int32_t i = 1; i < count; ++i) {
    publish(states_[i], kStop);
    pthread_join(states_[i].handle, nullptr);
    pthread_cond_destroy(&states_[i].awake);
    pthread_mutex_destroy(&states_[i].mutex);
  }
  options_.threads = 1;
}

bool ThreadPool::startWorker(int32_t index) {
  ThreadState& state = states_[index];
  state.pool = this;
  state.index = index;
  if (pthread_mutex_init(&state.mutex, nullptr) != 0) return false;
  if (pthread_cond_init(&state.awake, nullptr) != 0) {
    pthread_mutex_destroy(&state.mutex);
    return false;
  }
  // A worker inherits the signal mask: the application's signals are for its own threads.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const int failure = pthread_create(&state.handle, nullptr, workerMain, &state);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (failure == 0) return true;
  pthread_cond_destroy(&state.awake);
  pthread_mutex_destroy(&state.mutex);
  return false;
}

void* ThreadPool::workerMain(void* argument) {
  ThreadState& state = *static_cast<ThreadState*>(argument);
  ThreadPool& pool = *state.pool;
#if defined(__linux__)
  char name[16]; // the system's limit
  snprintf(name, sizeof name, "enfold-%d", static_cast<int>(state.index));
  pthread_setname_np(pthread_self(), name);
#endif
  if (state.cpu >= 0) confineTo(&state.cpu, 1);
  const FloatMode mode(pool.options_.denormals);
  while (pool.waitForWork(state)) pool.help(state.index);
  return nullptr;
}

/// Returns true when the thread has work, false when it is to end. May also return early.
bool ThreadPool::waitForWork(ThreadState& state) {
  for (;;) {
    const int64_t start = nanoseconds();
    do {
      for (int i = 0; i < kPausesPerLook; ++i) {
        if (const int64_t unclaimed = state.unclaimed.load(std::memory_order_acquire))
          return unclaimed != kStop;
        pauseCpu();
      }
      if (oversubscribed_) sched_yield();
    } while (nanoseconds() - start < options_.spinNanoseconds);
    sleepUntilWork(state);
  }
}

/// The caller stores work and then reads `asleep`; the worker sets `asleep` and then reads work. In
/// the single order of those four, one of the two sees what the other did.
void ThreadPool::sleepUntilWork(ThreadState& state) {
  pthread_mutex_lock(&state.mutex);
  state.asleep.store(true, std::memory_order_seq_cst);
  // One wait suffices: waking for nothing, or for work that others took meanwhile, is harmless.
  if (state.unclaimed.load(std::memory_order_seq_cst) == 0)
    pthread_cond_wait(&state.awake, &state.mutex);
  state.asleep.store(false, std::memory_order_relaxed);
  pthread_mutex_unlock(&state.mutex);
}

void ThreadPool::publish(ThreadState& state, int64_t grains) {
  state.unclaimed.store(grains, std::memory_order_seq_cst);
  if (!state.asleep.load(std::memory_order_seq_cst)) return;
  pthread_mutex_lock(&state.mutex);
  pthread_cond_signal(&state.awake);
  pthread_mutex_unlock(&state.mutex);
}

void ThreadPool::run(const Task& task, int32_t count) {
  job_.task = task;
  job_.grains = (task.iterations - 1) / task.grain + 1;
  job_.threads = count;
  if (measures_)
    for (int32_t i = 0; i < threads(); ++i) {
      states_[i].begin.store(0, std::memory_order_relaxed);
      states_[i].end.store(0, std::memory_order_relaxed);
      states_[i].busy.store(0, std::memory_order_relaxed);
    }
  unfinished_.store(job_.grains, std::memory_order_relaxed);
  for (int32_t i = 1; i < count; ++i) publish(states_[i], job_.shareEnd(i) - job_.shareEnd(i - 1));
  states_[0].unclaimed.store(job_.shareEnd(0), std::memory_order_release);
  help(0);
  for (int pauses = 0; unfinished_.load(std::memory_order_acquire) != 0; ++pauses) {
    if (oversubscribed_ || pauses > kPausesBeforeYield)
      sched_yield();
    else
      pauseCpu();
  }
}

/// Works on the thread's own share, then on what is left of the others', until nothing is.
void ThreadPool::help(int32_t index) {
  int64_t finished = 0;
  for (int32_t i = 0; i < threads(); ++i) {
    const int32_t victim = index + i < threads() ? index + i : index + i - threads();
    while (const int64_t grains = runClaimed(victim, index)) finished += grains;
  }
  if (finished != 0) unfinished_.fetch_sub(finished, std::memory_order_acq_rel);
}

/// Claims half of what nobody has begun of a thread's share and runs it; returns how many grains.
/// Halves shrink, so that the threads finish together without many calls.
int64_t ThreadPool::runClaimed(int32_t victim, int32_t index) {
  std::atomic<int64_t>& unclaimed = states_[victim].unclaimed;
  int64_t before = unclaimed.load(std::memory_order_relaxed);
  int64_t claimed = 0;
  do {
    if (before <= 0) return 0;
    claimed = (before + 1) / 2;
  } while (!unclaimed.compare_exchange_weak(before, before - claimed, std::memory_order_acq_rel,
                                            std::memory_order_relaxed));
  const Task& task = job_.task;
  const int64_t first = job_.shareEnd(victim) - before;
  const int64_t begin = first * task.grain;
  const bool last = first + claimed == job_.grains;
  const int64_t end = last ? task.iterations : (first + claimed) * task.grain;
  const int64_t start = measures_ ? nanoseconds() : 0;
  task.kernel(task.buffers, begin, end, scratch(index));
  if (measures_) addWork(states_[index], start, nanoseconds());
  return claimed;
}

/// Called by the state's own thread. The caller of run() reads the numbers once all grains are
/// reported finished.
void ThreadPool::addWork(ThreadState& state, int64_t begin, int64_t end) {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  if (state.end.load(kRelaxed) == 0) state.begin.store(begin, kRelaxed);
  state.end.store(end, kRelaxed);
  state.busy.store(state.busy.load(kRelaxed) + end - begin, kRelaxed);
}

ThreadPool::Work ThreadPool::workOf(int32_t thread) const {
  const ThreadState& state = states_[thread];
  return {state.begin.load(std::memory_order_relaxed), state.end.load(std::memory_order_relaxed),
          state.busy.load(std::memory_order_relaxed)};
}

} // namespace enfold::rt
