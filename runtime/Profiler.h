// Running times per step: how often, the least, the sum, and the time that all threads together
// spent inside the kernel.
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

  [[nodiscard]] bool prepare(size_t steps) { return times_.allocate(steps); }

  void reset() {
    for (Times& times : times_) times = {};
  }

  void add(size_t step, int64_t elapsed, int64_t busy) {
    Times& times = times_[step];
    times.least = times.runs == 0 || elapsed < times.least ? elapsed : times.least;
    times.total += elapsed;
    times.busy += busy;
    ++times.runs;
  }

  const Times& times(size_t step) const { return times_[step]; }

private:
  Array<Times> times_;
};

} // namespace enfold::rt
