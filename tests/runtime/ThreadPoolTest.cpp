// How the pool behaves beside its results: late workers do not hold up the caller, idle ones do not
// burn CPU time, and it stands up to changing numbers of threads and to more threads than CPUs.
#include "runtime/ThreadPool.h"

#include "runtime/Clock.h"
#include "runtime/CpuTopology.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <ctime>
#include <random>
#include <sched.h>
#include <set>
#include <thread>
#include <vector>

namespace enfold::rt::test {
namespace {

using namespace std::chrono_literals;

void countIterations(void* const* buffers, int64_t begin, int64_t end, void*) {
  for (int64_t i = begin; i < end; ++i) ++static_cast<int*>(buffers[0])[i];
}

TEST(ThreadPool, ManyJobsOfChangingSize) {
  for (const int32_t threads : {2, 3, 8, 64}) {
    for (const int64_t spin : {0, 20'000}) {
      ThreadPool pool;
      ASSERT_EQ(pool.start({.threads = threads, .spinNanoseconds = spin}), ENFOLD_OK);
      std::mt19937 generator(static_cast<unsigned>(threads));
      std::vector<int> counts(500);
      void* buffers[] = {counts.data()};
      for (int job = 0; job < (threads > 8 ? 300 : 3000); ++job) {
        const int64_t iterations = 1 + static_cast<int64_t>(generator() % 500);
        const int64_t grain = 1 + static_cast<int64_t>(generator() % 20);
        const auto count = static_cast<int32_t>(2 + generator() % unsigned(threads - 1));
        std::fill(counts.begin(), counts.end(), 0);
        pool.run({countIterations, buffers, iterations, grain}, count);
        for (int64_t i = 0; i < 500; ++i)
          ASSERT_EQ(counts[size_t(i)], i < iterations) << "iteration " << i << " of job " << job;
      }
    }
  }
}

void noteCpus(void* const* buffers, int64_t begin, int64_t end, void*) {
  for (int64_t i = begin; i < end; ++i) static_cast<int*>(buffers[0])[i] = sched_getcpu();
  std::this_thread::sleep_for(1ms); // leaves the others their shares
}

TEST(ThreadPool, PinnedWorkersStayOnTheirCpus) {
  int32_t cpus[kMostCpus];
  const int32_t known = cpusByTopology(cpus, kMostCpus);
  ASSERT_GT(known, 0);
  const std::set<int> allowed(cpus, cpus + known);
  for (const int32_t threads : {2, 3, 64}) {
    ThreadPool pool;
    ASSERT_EQ(pool.start({.threads = threads, .spinNanoseconds = 20'000, .pinned = true}),
              ENFOLD_OK);
    std::vector<int> seen(500, -1);
    void* buffers[] = {seen.data()};
    for (int job = 0; job < 20; ++job) {
      pool.run({noteCpus, buffers, 500, 1}, threads);
      for (const int cpu : seen) EXPECT_TRUE(allowed.contains(cpu)) << cpu;
    }
  }
}

/// The first call of the worker waits until all other iterations are done, which needs the caller
/// to take over the rest of the worker's share.
struct StallingJob {
  std::thread::id caller = std::this_thread::get_id();
  std::atomic<bool> stalled{false};
  std::atomic<int64_t> done{0};
  std::atomic<bool> gaveUp{false};

  static constexpr int64_t kIterations = 64;

  static void kernel(void* const* buffers, int64_t begin, int64_t end, void*) {
    auto& job = *static_cast<StallingJob*>(buffers[0]);
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    if (std::this_thread::get_id() == job.caller) {
      // Leaves the worker time to claim something.
      while (!job.stalled && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    } else if (!job.stalled.exchange(true)) {
      while (job.done < kIterations - (end - begin)) {
        if (std::chrono::steady_clock::now() > deadline) job.gaveUp = true;
        if (job.gaveUp) return;
        std::this_thread::yield();
      }
    }
    job.done += end - begin;
  }
};

TEST(ThreadPool, CallerTakesOverFromALateWorker) {
  ThreadPool pool;
  ASSERT_EQ(pool.start({.threads = 2, .spinNanoseconds = 1000}), ENFOLD_OK);
  StallingJob job;
  void* buffers[] = {&job};
  pool.run({StallingJob::kernel, buffers, StallingJob::kIterations, 1}, 2);
  EXPECT_TRUE(job.stalled);
  EXPECT_FALSE(job.gaveUp);
  EXPECT_EQ(job.done, StallingJob::kIterations);
}

int64_t processCpuNanoseconds() {
  timespec used;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return int64_t{used.tv_sec} * 1'000'000'000 + used.tv_nsec;
}

TEST(ThreadPool, IdleWorkersSleep) {
  ThreadPool pool;
  ASSERT_EQ(pool.start({.threads = 4, .spinNanoseconds = 100'000}), ENFOLD_OK);
  std::vector<int> counts(100);
  void* buffers[] = {counts.data()};
  pool.run({countIterations, buffers, 100, 1}, 4);
  const int64_t before = processCpuNanoseconds();
  std::this_thread::sleep_for(400ms);
  EXPECT_LT(processCpuNanoseconds() - before, 100'000'000);
  pool.run({countIterations, buffers, 100, 1}, 4);
  EXPECT_EQ(counts, std::vector<int>(100, 2)) << "sleeping workers do not stop the work";
}

TEST(ThreadPool, WorkIsMeasuredByThread) {
  ThreadPool pool;
  ASSERT_EQ(pool.start({.threads = 3, .spinNanoseconds = 100'000}), ENFOLD_OK);
  pool.measure(true);
  const auto sleepy = [](void* const*, int64_t, int64_t, void*) {
    std::this_thread::sleep_for(10ms);
  };
  const int64_t before = nanoseconds();
  pool.run({sleepy, nullptr, 2, 1}, 2);
  const int64_t after = nanoseconds();
  int64_t busy = 0;
  for (int32_t thread = 0; thread < 3; ++thread) {
    const ThreadPool::Work work = pool.workOf(thread);
    busy += work.busy;
    if (work.end == 0) continue;
    EXPECT_GE(work.begin, before);
    EXPECT_LE(work.end, after);
    EXPECT_LE(work.busy, work.end - work.begin);
    EXPECT_GE(work.busy, 10'000'000);
  }
  EXPECT_GE(busy, 20'000'000);
  EXPECT_EQ(pool.workOf(2).end, 0) << "of two threads";
}

} // namespace
} // namespace enfold::rt::test
