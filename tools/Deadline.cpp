// A thread that ends the process when the time is up.
#include "tools/Deadline.h"

#include "support/ErrorCodes.h"
#include "tools/Common.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>

namespace enfold::tool {

Deadline::Deadline(std::optional<double> seconds) {
  if (!seconds) return;
  watch_ = std::thread([this, seconds = *seconds] {
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, std::chrono::duration<double>(seconds), [&] { return isDone_; }))
      return;
    const int code = report(Error(
        ErrorCode::TimeLimit,
        fmt::format("compilation took longer than {} seconds (--limit-compile-seconds)", seconds)));
    std::_Exit(code);
  });
}

Deadline::~Deadline() {
  if (!watch_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    isDone_ = true;
  }
  changed_.notify_one();
  watch_.join();
}

} // namespace enfold::tool
