// Whether the machine let a measurement be: what else ran, and whether the clock stayed.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace enfold::diagnose {

class SteadinessWatch {
public:
  /// Begins to watch. Takes a few milliseconds, as the end does, to measure the clock.
  /// What the processes named use is no other load.
  explicit SteadinessWatch(std::vector<int> processes = {});

  /// What speaks against the times measured since, a sentence each: spread, drift, other load, time
  /// that a hypervisor took, changes of the clock. `samples` are in the order of their runs.
  std::vector<std::string> complaints(const std::vector<double>& samples) const;

private:
  struct State {
    std::chrono::steady_clock::time_point time;
    double ownSeconds = 0;    ///< of this process and those named
    double busySeconds = 0;   ///< of all CPUs
    double stolenSeconds = 0; ///< by a hypervisor
    double clock = 0;         ///< dependent additions a second
  };
  State now() const;

  std::vector<int> processes_;
  State begin_;
};

} // namespace enfold::diagnose
