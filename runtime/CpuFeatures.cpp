// One table of names, each with the test for it. The levels "sse4.2", "avx2" and "avx512" stand for
// what a compiler may assume of CPUs of that generation, not for one CPUID bit.
#include "runtime/CpuFeatures.h"

#include <cstddef>
#include <cstring>
#if defined(__x86_64__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

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

/// Linux saves tiles only of processes that have asked for it; asking again does no harm.
bool mayUseTiles() {
#ifdef __linux__
  constexpr long kRequestPermission = 0x1023, kTileData = 18; // ARCH_REQ_XCOMP_PERM, of asm/prctl.h
  static const bool granted = syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  return granted;
#else
  return false;
#endif
}
bool hasAmxTile() { return __builtin_cpu_supports("amx-tile") && mayUseTiles(); }
bool hasAmxInt8() { return __builtin_cpu_supports("amx-int8") && mayUseTiles(); }
bool hasAmxBf16() { return __builtin_cpu_supports("amx-bf16") && mayUseTiles(); }

/// A row for a feature that GCC and Clang know by the name given.
#define ENFOLD_CPU_FEATURE(NAME, COMPILERS_NAME)                                                   \
  {NAME, [] { return __builtin_cpu_supports(COMPILERS_NAME) != 0; }}
constexpr Feature kFeatures[] = {
    {"scalar", always},
    {"sse4.2", hasSse42},
    {"avx2", hasAvx2},
    {"avx512", hasAvx512},
    ENFOLD_CPU_FEATURE("sse3", "sse3"),
    ENFOLD_CPU_FEATURE("ssse3", "ssse3"),
    ENFOLD_CPU_FEATURE("sse4.1", "sse4.1"),
    ENFOLD_CPU_FEATURE("popcnt", "popcnt"),
    ENFOLD_CPU_FEATURE("sse4a", "sse4a"),
    ENFOLD_CPU_FEATURE("lzcnt", "lzcnt"),
    ENFOLD_CPU_FEATURE("bmi", "bmi"),
    ENFOLD_CPU_FEATURE("bmi2", "bmi2"),
    ENFOLD_CPU_FEATURE("tbm", "tbm"),
    ENFOLD_CPU_FEATURE("movbe", "movbe"),
    ENFOLD_CPU_FEATURE("avx", "avx"),
    ENFOLD_CPU_FEATURE("f16c", "f16c"),
    ENFOLD_CPU_FEATURE("fma", "fma"),
    ENFOLD_CPU_FEATURE("fma4", "fma4"),
    ENFOLD_CPU_FEATURE("xop", "xop"),
    ENFOLD_CPU_FEATURE("gfni", "gfni"),
    ENFOLD_CPU_FEATURE("avx_vnni", "avxvnni"),
    ENFOLD_CPU_FEATURE("avx512f", "avx512f"),
    ENFOLD_CPU_FEATURE("avx512cd", "avx512cd"),
    ENFOLD_CPU_FEATURE("avx512bw", "avx512bw"),
    ENFOLD_CPU_FEATURE("avx512dq", "avx512dq"),
    ENFOLD_CPU_FEATURE("avx512vl", "avx512vl"),
    ENFOLD_CPU_FEATURE("avx512_vbmi", "avx512vbmi"),
    ENFOLD_CPU_FEATURE("avx512_vbmi2", "avx512vbmi2"),
    ENFOLD_CPU_FEATURE("avx512_ifma", "avx512ifma"),
    ENFOLD_CPU_FEATURE("avx512_bitalg", "avx512bitalg"),
    ENFOLD_CPU_FEATURE("avx512_vpopcntdq", "avx512vpopcntdq"),
    ENFOLD_CPU_FEATURE("avx512_vnni", "avx512vnni"),
    ENFOLD_CPU_FEATURE("avx512_bf16", "avx512bf16"),
    ENFOLD_CPU_FEATURE("avx512_fp16", "avx512fp16"),
    {"amx_tile", hasAmxTile},
    {"amx_int8", hasAmxInt8},
    {"amx_bf16", hasAmxBf16},
};
#undef ENFOLD_CPU_FEATURE
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
