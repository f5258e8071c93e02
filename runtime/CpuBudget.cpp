// Reads /proc/self/cgroup and the quota files above it. Missing and malformed files mean "no limit
// here": a container often sees only part of the hierarchy that its path names.
#include "runtime/CpuBudget.h"

#include "runtime/Clock.h"

#include <enfold/enfold.h>

#include <climits>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#if defined(__linux__)
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>
#endif

namespace enfold::rt {
namespace {

#if defined(__linux__)

/// Reads the start of a small file as text; false if it cannot be read.
template <size_t N> bool readText(const char* path, char (&text)[N]) {
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  size_t length = 0;
  while (length < N - 1) {
    const ssize_t count = read(file, text + length, N - 1 - length);
    if (count <= 0) break;
    length += static_cast<size_t>(count);
  }
  close(file);
  text[length] = '\0';
  return length > 0;
}

int32_t cpusOf(long long quota, long long period) {
  if (quota <= 0 || period <= 0) return INT32_MAX;
  const long long cpus = quota / period + (quota % period != 0);
  return cpus < INT32_MAX ? static_cast<int32_t>(cpus) : INT32_MAX;
}

/// Version 2: "max 100000" or "150000 100000" in one file.
int32_t quotaInV2(const char* folder) {
  char path[PATH_MAX];
  char text[64];
  snprintf(path, sizeof path, "%s/cpu.max", folder);
  long long quota = 0;
  long long period = 0;
  if (!readText(path, text) || sscanf(text, "%lld %lld", &quota, &period) != 2) return INT32_MAX;
  return cpusOf(quota, period);
}

/// Version 1: two files of one number each; a quota of -1 is none.
int32_t quotaInV1(const char* folder) {
  char path[PATH_MAX];
  char quota[64];
  char period[64];
  snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", folder);
  if (!readText(path, quota)) return INT32_MAX;
  snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
  if (!readText(path, period)) return INT32_MAX;
  return cpusOf(atoll(quota), atoll(period));
}

/// The least quota of root/mount/path and of every folder between it and root/mount.
int32_t tightestQuota(const char* root, const char* mount, const char* path,
                      int32_t (*quotaIn)(const char* folder)) {
  char folder[PATH_MAX];
  const int mountLength = snprintf(folder, sizeof folder, "%s%s", root, mount);
  if (mountLength < 0 || static_cast<size_t>(mountLength) >= sizeof folder) return INT32_MAX;
  const size_t room = sizeof folder - static_cast<size_t>(mountLength);
  snprintf(folder + mountLength, room, "%s", path);
  int32_t least = INT32_MAX;
  for (;;) {
    const int32_t cpus = quotaIn(folder);
    if (cpus < least) least = cpus;
    char* slash = strrchr(folder + mountLength, '/');
    if (slash == nullptr) return least;
    *slash = '\0';
  }
}

/// Whether the comma-separated list `controllers` holds "cpu".
bool listsCpu(const char* controllers) {
  for (const char* name = controllers; *name != '\0';) {
    const size_t length = strcspn(name, ",");
    if (length == 3 && strncmp(name, "cpu", 3) == 0) return true;
    name += length + (name[length] == ',');
  }
  return false;
}

/// The quota that one line of the membership file leads to; the line is cut apart in place.
int32_t quotaOfMembership(const char* root, char* line) {
  char* controllers = strchr(line, ':');
  if (controllers == nullptr) return INT32_MAX;
  char* path = strchr(++controllers, ':');
  if (path == nullptr) return INT32_MAX;
  *path++ = '\0';
  if (*controllers == '\0') {
    // Version 2, alone at the root or beside version 1.
    const int32_t alone = tightestQuota(root, "", path, quotaInV2);
    const int32_t beside = tightestQuota(root, "/unified", path, quotaInV2);
    return alone < beside ? alone : beside;
  }
  if (!listsCpu(controllers)) return INT32_MAX;
  char mount[128];
  snprintf(mount, sizeof mount, "/%s", controllers);
  const int32_t joint = tightestQuota(root, mount, path, quotaInV1);
  const int32_t single = tightestQuota(root, "/cpu", path, quotaInV1);
  return joint < single ? joint : single;
}

#endif

} // namespace

int32_t affinityCpus() {
#if defined(__linux__)
  // Bits for 64 Ki CPUs: the system call fails when the mask is shorter than the kernel's.
  unsigned long mask[65536 / (8 * sizeof(unsigned long))] = {};
  if (sched_getaffinity(0, sizeof mask, reinterpret_cast<cpu_set_t*>(mask)) != 0) return 1;
  int32_t count = 0;
  for (const unsigned long word : mask) count += __builtin_popcountl(word);
  return count > 0 ? count : 1;
#else
  return 1;
#endif
}

int32_t quotaCpus([[maybe_unused]] const CgroupPaths& paths) {
  int32_t least = INT32_MAX;
#if defined(__linux__)
  char text[8192];
  if (!readText(paths.membership, text)) return least;
  char* rest = nullptr;
  for (char* line = strtok_r(text, "\n", &rest); line != nullptr;
       line = strtok_r(nullptr, "\n", &rest)) {
    const int32_t cpus = quotaOfMembership(paths.root, line);
    if (cpus < least) least = cpus;
  }
#endif
  return least;
}

/// The process's own quota as it was at most a second ago: reading it opens some ten files.
static int32_t recentQuotaCpus() {
  constexpr int64_t kRecent = 1'000'000'000;
  static std::atomic<int64_t> readAt = INT64_MIN;
  static std::atomic<int32_t> quota = INT32_MAX;
  const int64_t now = nanoseconds();
  if (readAt.load(std::memory_order_acquire) < now - kRecent) {
    quota.store(quotaCpus(), std::memory_order_relaxed);
    readAt.store(now, std::memory_order_release);
  }
  return quota.load(std::memory_order_relaxed);
}

int32_t availableCpus() {
  const int32_t affinity = affinityCpus();
  const int32_t quota = recentQuotaCpus();
  return affinity < quota ? affinity : quota;
}

int32_t parseThreads(const char* text) {
  if (text == nullptr) return 0;
  const long count = strtol(text, nullptr, 10);
  if (count <= 0) return 0;
  return count < ENFOLD_MAX_THREADS ? static_cast<int32_t>(count) : ENFOLD_MAX_THREADS;
}

int32_t wantsPinning() {
  const char* text = getenv("ENFOLD_PIN");
  if (text == nullptr || *text == '\0' || strcmp(text, "0") == 0) return 0;
  return strcmp(text, "1") == 0 ? 1 : -1;
}

int32_t defaultThreads() {
  if (const int32_t own = parseThreads(getenv("ENFOLD_NUM_THREADS"))) return own;
  if (const int32_t openMp = parseThreads(getenv("OMP_NUM_THREADS"))) return openMp;
  const int32_t available = availableCpus();
  return available < ENFOLD_MAX_THREADS ? available : ENFOLD_MAX_THREADS;
}

} // namespace enfold::rt
