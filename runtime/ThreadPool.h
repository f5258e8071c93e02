// Fork and join over a fixed set of threads, for kernels that take microseconds.
//
// The caller is thread 0, the workers are threads 1 and up. Each thread gets an equal, fixed share
// of the iterations, so that it finds in its caches what it wrote in the step before; a thread that
// is done takes over half of what another has not begun. A worker that is late or has no CPU
// therefore costs nothing but its help, and the caller waits only for work that is already under
// way.
#pragma once

#include "runtime/FloatMode.h"
#include "runtime/Memory.h"

#include <enfold/enfold.h>

#include <atomic>
#include <cstdint>
#include <pthread.h>

namespace enfold::rt {

/// One kernel over its whole range. Iterations may run in any order, each exactly once.
struct Task {
  enfold_kernel_fn kernel = nullptr;
  void* const* buffers = nullptr;
  int64_t iterations = 0; ///< at least 1
  int64_t grain = 1;      ///< at least 1: calls begin at its multiples
};

class ThreadPool {
public:
  struct Options {
    int32_t threads = 1; ///< the caller included
    int64_t spinNanoseconds = 0;
    Denormals denormals = Denormals::Flush;
    size_t scratchBytes = 0; ///< per thread
    /// Each worker stays on a CPU of its own as long as there are enough, one of every core before
    /// the others of any. The caller's thread is left alone.
    bool pinned = false;
  };

  ThreadPool() = default;
  ~ThreadPool() { endWorkers(options_.threads); }
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  /// Allocates scratch and starts the workers, once. On failure, ENFOLD_NO_MEMORY or
  /// ENFOLD_NO_THREADS, the pool is of no further use.
  [[nodiscard]] enfold_status start(const Options& options);

  /// Runs the task on the first `count` threads, 2 <= count <= threads(), and returns when all of
  /// it is done. One caller at a time.
  void run(const Task& task, int32_t count);

  int32_t threads() const { return options_.threads; }
  /// Gives each thread at least this much scratch, between runs; false if there is no memory.
  [[nodiscard]] bool reserveScratch(size_t bytes);
  /// What each thread has.
  size_t scratchStride() const { return scratchStride_; }
  int64_t scratchBytes() const { return static_cast<int64_t>(scratch_.size()); }
  void* scratch(int32_t thread) const { return scratch_.data() + scratchStride_ * size_t(thread); }

  /// While on, the time inside kernels is measured; only between runs may it be switched.
  void measure(bool on) { measures_ = on; }
  /// What a thread did in the latest run: from the beginning of its first call of the kernel to the
  /// end of its last, and how long it was inside. Nanoseconds of the clock; no calls: all zero.
  struct Work {
    int64_t begin = 0, end = 0, busy = 0;
  };
  Work workOf(int32_t thread) const;

private:
  /// What a thread shares with the others. Grains are counted from the end of its share.
  struct alignas(kLinePair) ThreadState {
    std::atomic<int64_t> unclaimed{0}; ///< grains of its share nobody has begun; kStop ends it
    alignas(kLinePair) std::atomic<int64_t> begin{0}; ///< with the next two: see Work
    std::atomic<int64_t> end{0};
    std::atomic<int64_t> busy{0};
    std::atomic<bool> asleep{false};
    pthread_mutex_t mutex;
    pthread_cond_t awake;
    pthread_t handle;
    ThreadPool* pool = nullptr;
    int32_t index = 0;
    int32_t cpu = -1; ///< where the worker stays; -1: anywhere
  };
  static constexpr int64_t kStop = -1;

  /// What runs now: written by the caller while no grain is unclaimed or unfinished, read by a
  /// thread only between claiming a grain and reporting it finished.
  struct Job {
    Task task;
    int64_t grains = 0;
    int32_t threads = 0;
    int64_t shareEnd(int32_t thread) const;
  };

  bool allocateScratch(size_t bytes, size_t count);
  static void* workerMain(void* state);
  void chooseCpus();
  bool startWorker(int32_t index);
  void endWorkers(int32_t count);
  void publish(ThreadState& state, int64_t grains);
  bool waitForWork(ThreadState& state);
  void sleepUntilWork(ThreadState& state);
  void help(int32_t index);
  int64_t runClaimed(int32_t victim, int32_t index);
  static void addWork(ThreadState& state, int64_t begin, int64_t end);

  Options options_;
  Memory stateMemory_;
  ThreadState* states_ = nullptr;
  Memory scratch_;
  size_t scratchStride_ = 0;
  bool oversubscribed_ = false; ///< more threads than CPUs: waiting threads give theirs up
  bool measures_ = false;
  Job job_;
  alignas(kLinePair) std::atomic<int64_t> unfinished_{0}; ///< grains of the job
};

} // namespace enfold::rt
