// When a run that consists of several has to end.
#pragma once

#include "support/Result.h"

#include <enfold/enfold.h>

#include <chrono>
#include <optional>

namespace enfold {

class RunLimits {
public:
  /// `limits` may be null; its time begins now.
  explicit RunLimits(const enfold_run_limits* limits = nullptr);

  /// An error if a limit is met.
  Result<> check() const;
  /// What is left of them, for one run among those to come.
  enfold_run_limits left() const;

private:
  using Clock = std::chrono::steady_clock;

  const volatile int32_t* stop_ = nullptr;
  std::optional<Clock::time_point> end_;
};

} // namespace enfold
