// The default number of threads: at most the CPUs this process may run on, and at most what its
// control group's quota of CPU time allows. Threads beyond the quota would only be throttled.
#pragma once

#include <cstdint>

namespace enfold::rt {

/// Where the kernel tells about control groups; tests pass folders of their own.
struct CgroupPaths {
  const char* root = "/sys/fs/cgroup";          ///< where the hierarchies are mounted
  const char* membership = "/proc/self/cgroup"; ///< lines "number:controllers:/path"
};

/// The CPUs in this process's affinity mask, at least 1.
int32_t affinityCpus();

/// The CPUs that the tightest quota on the process's path through the control groups (version 1 or
/// 2) allows, rounded up; INT32_MAX if there is no quota.
int32_t quotaCpus(const CgroupPaths& paths = {});

/// The smaller of the two: what can run at the same time. A quota that changes is seen within a
/// second.
int32_t availableCpus();

/// A thread count from an environment variable's text: its leading number ("4", "4,2"), at most
/// ENFOLD_MAX_THREADS; 0 if `text` is null or no positive number.
int32_t parseThreads(const char* text);

/// ENFOLD_NUM_THREADS, else OMP_NUM_THREADS, else availableCpus().
int32_t defaultThreads();

/// Whether ENFOLD_PIN asks for workers to stay on CPUs of their own: 1 or 0; -1 if it has a value
/// that means nothing.
int32_t wantsPinning();

} // namespace enfold::rt
