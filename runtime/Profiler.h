// Running times per step: how often, the least, the sum, and the time that all threads together
// spent inside the kernel; of the latest run, when each thread did so.
#pragma once

#include "runtime/Memory.h"

#include <cstdint>

namespace enfold::rt {

class Profiler {
public:
  struct Times {
    int64_t runs = 0;
    int64_t total = 0; ///< nanoseconds, like the others
    int64_t least = 0;
    int64_t busy = 0;
  };

  /// What a thread did of a step in the latest run. Nanoseconds since that run began.
  struct Share {
    int64_t begin = 0;
    int64_t end = 0; ///< 0: nothing
    int64_t busy = 0;
  };

  [[nodiscard]] bool prepare(size_t steps) { return times_.allocate(steps); }
  /// Makes room for the shares of so many threads.
  [[nodiscard]] bool prepareThreads(size_t threads) {
    const size_t count = times_.size() * threads;
    const bool done = shares_.size() == count || shares_.allocate(count);
    threads_ = done ? threads : 0;
    return done;
  }

  void swap(Profiler& other) {
    times_.swap(other.times_);
    shares_.swap(other.shares_);
    std::swap(threads_, other.threads_);
  }

  void reset() {
    for (Times& times : times_) times = {};
    beginRun();
  }
  void beginRun() {
    for (Share& share : shares_) share = {};
  }

  void add(size_t step, int64_t elapsed, int64_t busy) {
    Times& times = times_[step];
    times.least = times.runs == 0 || elapsed < times.least ? elapsed : times.least;
    times.total += elapsed;
    times.busy += busy;
    ++times.runs;
  }

  const Times& times(size_t step) const { return times_[step]; }

  Share& share(size_t step, size_t thread) { return shares_[step * threads_ + thread]; }
  /// Nothing for threads that there was no room for.
  Share shareOr(size_t step, size_t thread) const {
    return thread < threads_ && shares_.size() > 0 ? shares_[step * threads_ + thread] : Share{};
  }

private:
  Array<Times> times_;
  Array<Share> shares_; ///< of each step, one for each thread
  size_t threads_ = 0;
};

} // namespace enfold::rt
