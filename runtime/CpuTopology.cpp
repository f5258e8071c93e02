// Reads /sys/devices/system/cpu/cpuN/topology. What is missing there makes every CPU a core of its
// own.
#include "runtime/CpuTopology.h"

#include <climits>

#include <cstdio>
#include <cstdlib>

#if defined(__linux__)
#include <sched.h>
#endif

namespace enfold::rt {
namespace {

/// Where a CPU is: threads take those of lower places first.
struct Place {
  int32_t sibling; ///< how many CPUs of its core come before it
  int32_t package;
  int32_t cpu;
};

int compare(const void* one, const void* other) {
  const Place& a = *static_cast<const Place*>(one);
  const Place& b = *static_cast<const Place*>(other);
  if (a.sibling != b.sibling) return a.sibling < b.sibling ? -1 : 1;
  if (a.package != b.package) return a.package < b.package ? -1 : 1;
  return a.cpu < b.cpu ? -1 : a.cpu > b.cpu;
}

/// The first line of a file that describes a CPU; empty if there is none.
template <size_t N>
void readLine(char (&line)[N], const char* folder, int32_t cpu, const char* name) {
  char path[PATH_MAX];
  line[0] = '\0';
  snprintf(path, sizeof path, "%s/cpu%d/topology/%s", folder, static_cast<int>(cpu), name);
  FILE* file = fopen(path, "r");
  if (file == nullptr) return;
  if (fgets(line, sizeof line, file) == nullptr) line[0] = '\0';
  fclose(file);
}

bool contains(const int32_t* cpus, int32_t count, long cpu) {
  for (int32_t i = 0; i < count; ++i)
    if (cpus[i] == cpu) return true;
  return false;
}

/// How many CPUs in a list like "0-1,64" are below `cpu` and among those given.
int32_t siblingsBefore(const char* list, int32_t cpu, const int32_t* cpus, int32_t count) {
  int32_t before = 0;
  for (const char* at = list; *at >= '0' && *at <= '9';) {
    char* end = nullptr;
    const long first = strtol(at, &end, 10);
    const long last = *end == '-' ? strtol(end + 1, &end, 10) : first;
    for (long other = first; other <= last && other < cpu; ++other)
      before += contains(cpus, count, other);
    at = *end == ',' ? end + 1 : end;
  }
  return before;
}

} // namespace

void sortByTopology(int32_t* cpus, int32_t count, const char* folder) {
  auto* places = static_cast<Place*>(malloc(static_cast<size_t>(count) * sizeof(Place)));
  if (places == nullptr) return; // the order is of help only
  for (int32_t i = 0; i < count; ++i) {
    char siblings[256];
    char package[32];
    readLine(siblings, folder, cpus[i], "thread_siblings_list");
    readLine(package, folder, cpus[i], "physical_package_id");
    places[i] = {siblingsBefore(siblings, cpus[i], cpus, count),
                 static_cast<int32_t>(strtol(package, nullptr, 10)), cpus[i]};
  }
  qsort(places, static_cast<size_t>(count), sizeof places[0], compare);
  for (int32_t i = 0; i < count; ++i) cpus[i] = places[i].cpu;
  free(places);
}

int32_t cpusByTopology(int32_t* cpus, int32_t capacity, const char* folder) {
  int32_t count = 0;
#if defined(__linux__)
  unsigned long mask[kMostCpus / (8 * sizeof(unsigned long))] = {};
  constexpr int32_t kBits = 8 * sizeof(unsigned long);
  if (sched_getaffinity(0, sizeof mask, reinterpret_cast<cpu_set_t*>(mask)) != 0) return 0;
  for (int32_t cpu = 0; cpu < kMostCpus && count < capacity; ++cpu)
    if (mask[cpu / kBits] >> (cpu % kBits) & 1) cpus[count++] = cpu;
  sortByTopology(cpus, count, folder);
#endif
  return count;
}

bool confineTo([[maybe_unused]] const int32_t* cpus, [[maybe_unused]] int32_t count) {
#if defined(__linux__)
  unsigned long mask[kMostCpus / (8 * sizeof(unsigned long))] = {};
  constexpr int32_t kBits = 8 * sizeof(unsigned long);
  for (int32_t i = 0; i < count; ++i) mask[cpus[i] / kBits] |= 1ul << (cpus[i] % kBits);
  return sched_setaffinity(0, sizeof mask, reinterpret_cast<cpu_set_t*>(mask)) == 0;
#else
  return false;
#endif
}

} // namespace enfold::rt
