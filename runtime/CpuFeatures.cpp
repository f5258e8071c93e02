// One table of names, each with the test for it. The levels "sse4.2", "avx2" and "avx512" stand for
// what a compiler may assume of CPUs of that generation, not for one CPUID bit.
#include "runtime/CpuFeatures.h"

#include <cstddef>
#include <cstring>

namespace enfold::rt {
namespace {

struct Feature {
  const char* name;
  bool (*present)();
};

bool always() { return true; }

#if defined(__x86_64__) || defined(__i386__)
// __builtin_cpu_supports also asks the operating system whether it saves the wide registers.
bool hasSse42() { return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt"); }
bool hasAvx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
         __builtin_cpu_supports("f16c");
}
bool hasAvx512() {
  return hasAvx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl");
}
bool hasAvxVnni() { return __builtin_cpu_supports("avxvnni"); }
bool hasAvx512Vnni() { return __builtin_cpu_supports("avx512vnni"); }
bool hasAvx512Bf16() { return __builtin_cpu_supports("avx512bf16"); }

constexpr Feature kFeatures[] = {
    {"scalar", always},
    {"sse4.2", hasSse42},
    {"avx2", hasAvx2},
    {"avx_vnni", hasAvxVnni},
    {"avx512", hasAvx512},
    {"avx512_vnni", hasAvx512Vnni},
    {"avx512_bf16", hasAvx512Bf16},
};
#elif defined(__aarch64__)
constexpr Feature kFeatures[] = {{"scalar", always}, {"neon", always}};
#else
constexpr Feature kFeatures[] = {{"scalar", always}};
#endif

bool isPresent(const char* name, size_t length) {
  for (const Feature& feature : kFeatures)
    if (std::strlen(feature.name) == length && std::strncmp(feature.name, name, length) == 0)
      return feature.present();
  return false;
}

} // namespace

const char* firstMissingFeature(const char* names) {
  while (*names != '\0') {
    size_t length = std::strcspn(names, ",");
    if (!isPresent(names, length)) return names;
    names += length;
    if (*names == ',') ++names;
  }
  return nullptr;
}

} // namespace enfold::rt
