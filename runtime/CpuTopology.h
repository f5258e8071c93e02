// Which CPUs share a core, so that threads are placed on cores of their own first.
#pragma once

#include <cstdint>

namespace enfold::rt {

/// CPUs beyond this number are not considered.
inline constexpr int32_t kMostCpus = 4096;

/// The CPUs in this thread's affinity mask in the order in which threads should take them: one of
/// each core before the others of any core, those of one package next to each other. Writes at most
/// `capacity` and returns how many. `folder` is where the kernel describes CPUs; tests pass their
/// own.
int32_t cpusByTopology(int32_t* cpus, int32_t capacity,
                       const char* folder = "/sys/devices/system/cpu");

/// The same of CPUs that the caller names, in place.
void sortByTopology(int32_t* cpus, int32_t count, const char* folder = "/sys/devices/system/cpu");

/// Lets the calling thread, and those that it starts from then on, run on these CPUs only. False if
/// the system refuses.
bool confineTo(const int32_t* cpus, int32_t count);

} // namespace enfold::rt
