// When a run is to end before its last step.
#pragma once

#include "runtime/Clock.h"
#include "runtime/LastError.h"

namespace enfold::rt {

class RunLimits {
public:
  /// Counts from now; null: there are none.
  explicit RunLimits(const enfold_run_limits* limits) {
    if (limits == nullptr) return;
    stop_ = limits->stop;
    constexpr double kLongest = 9e9; // seconds that nanoseconds in 64 bits can count
    if (limits->seconds > 0 && limits->seconds < kLongest)
      end_ = nanoseconds() + static_cast<int64_t>(limits->seconds * 1e9);
  }

  /// ENFOLD_STOPPED if the step must not begin any more.
  enfold_status check(const enfold_step& step) const {
    if (stop_ != nullptr && *stop_ != 0)
      return fail(ENFOLD_STOPPED, "the run was stopped before step '%s'", step.name);
    if (end_ != 0 && nanoseconds() >= end_)
      return fail(ENFOLD_STOPPED, "the run's time was over before step '%s'", step.name);
    return ENFOLD_OK;
  }

private:
  const volatile int32_t* stop_ = nullptr;
  int64_t end_ = 0; ///< 0: never
};

} // namespace enfold::rt
