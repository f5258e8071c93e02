// Limits the time that reading and compiling a model may take.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

namespace enfold::tool {

/// Ends the process with a message and exit code 3 when it lives longer than the seconds given.
/// Files are written beside and renamed, so that none is left half-written.
class Deadline {
public:
  /// None: no bound.
  explicit Deadline(std::optional<double> seconds);
  ~Deadline();
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool isDone_ = false;
  std::thread watch_;
};

} // namespace enfold::tool
