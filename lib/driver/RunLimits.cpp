// Flags and times of limits.
#include "driver/RunLimits.h"

#include "support/ErrorCodes.h"

#include <algorithm>

namespace enfold {

RunLimits::RunLimits(const enfold_run_limits* limits) {
  if (!limits) return;
  stop_ = limits->stop;
  if (limits->seconds > 0 && limits->seconds < 1e9)
    end_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                              std::chrono::duration<double>(limits->seconds));
}

Result<> RunLimits::check() const {
  if (stop_ && *stop_ != 0)
    return std::unexpected(Error(ErrorKind::Stopped, "the run was stopped"));
  if (end_ && Clock::now() >= *end_)
    return failure(ErrorCode::TimeLimit, "the time for the run is over");
  return {};
}

enfold_run_limits RunLimits::left() const {
  if (!end_) return {stop_, 0};
  const std::chrono::duration<double> seconds = *end_ - Clock::now();
  return {stop_, std::max(seconds.count(), 1e-6)};
}

} // namespace enfold
