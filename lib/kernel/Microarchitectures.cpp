// The table of microarchitectures.
//
// Instructions per cycle, latencies and sizes of caches are those of the manufacturers' manuals:
// AMD, "Software Optimization Guide" for families 17h, 19h and 1Ah; Intel, "64 and IA-32
// Architectures Optimization Reference Manual"; Arm, "Software Optimization Guide" of each core
// (latencies of additions are those of chains of multiply-adds, which forward their sums); Apple,
// "Apple Silicon CPU Optimization Guide".
//
// Of loads, Zen 4 sustains 0.85 of what its manual says, by measurement, in loops that load and
// multiply; the table takes 0.85 for all. Bytes per cycle from caches and memory are measured on
// Zen 4 and Granite Rapids, one core reading in sequence; elsewhere they are rounded from published
// measurements, and right within a third. Sizes that vary between models are the least common ones;
// those of this machine come from the system (codegen/TargetInfo.h).
//
// Dot products are as fast as multiply-adds, but those of bf16 on Intel's cores since Sapphire
// Rapids, which take each apart into several operations. Elsewhere pairs of 16-bit numbers take a
// multiplication and an addition, which share units on Intel's and Arm's cores: all of them where
// vectors have 64 bytes. Zen has units enough for both; what it sustains is measured on Zen 3.
#include "kernel/Machine.h"

namespace enfold::kir {
namespace {

constexpr int64_t operator""_K(unsigned long long n) { return static_cast<int64_t>(n) << 10; }
constexpr int64_t operator""_M(unsigned long long n) { return static_cast<int64_t>(n) << 20; }
constexpr double kLoads = 0.85;    ///< sustained, of the manual's
constexpr double kPairs = 0.75;    ///< of multiply-adds, where both share units
constexpr double kWidePairs = 0.5; ///< where there are no others
constexpr double kZenPairs = 0.82; ///< where they do not

struct Row {
  std::vector<std::string_view> cpus;
  Throughput fma;
  double fmaLatency;
  Throughput load, store;
  CacheLevel l1, l2, l3;
  double memoryBytesPerCycle;
  double pairs = kPairs; ///< of multiply-adds
  double halfDots = 1;   ///< of multiply-adds
};

constexpr Throughput loads(double perCycle, double bytes) {
  return {kLoads * perCycle, kLoads * bytes};
}

const std::vector<Row>& table() {
  static const std::vector<Row> rows = {
      // Zen 1 splits vectors of 32 bytes in two, Zen 4 those of 64.
      {{"znver1"},
       {2, 32},
       5,
       loads(2, 32),
       {1, 16},
       {32_K, 2, 27},
       {512_K, 2, 20},
       {8_M, 8, 12},
       4,
       kZenPairs},
      {{"znver2"},
       {2, 64},
       5,
       loads(2, 64),
       {1, 32},
       {32_K, 2, 54},
       {512_K, 2, 27},
       {16_M, 8, 16},
       4,
       kZenPairs},
      {{"znver3"},
       {2, 64},
       4,
       loads(2, 64),
       {1, 32},
       {32_K, 2, 54},
       {512_K, 2, 27},
       {32_M, 16, 20},
       4,
       kZenPairs},
      {{"znver4"},
       {2, 64},
       4,
       loads(2, 64),
       {1, 32},
       {32_K, 2, 54},
       {1_M, 2, 27},
       {32_M, 16, 20},
       4,
       kZenPairs},
      {{"znver5"},
       {2, 128},
       4,
       loads(2, 128),
       {2, 64},
       {48_K, 2, 108},
       {1_M, 2, 48},
       {32_M, 16, 24},
       5,
       kZenPairs},
      // Without FMA: a multiplication and an addition.
      {{"nehalem", "corei7", "westmere"},
       {1, 16},
       7,
       loads(1, 16),
       {1, 16},
       {32_K, 2, 13},
       {256_K, 2, 10},
       {8_M, 8, 6},
       3},
      {{"sandybridge", "corei7-avx", "ivybridge", "core-avx-i"},
       {1, 32},
       8,
       loads(2, 32),
       {1, 16},
       {32_K, 2, 27},
       {256_K, 2, 16},
       {8_M, 8, 10},
       4},
      {{"haswell", "core-avx2", "broadwell"},
       {2, 64},
       5,
       loads(2, 64),
       {1, 32},
       {32_K, 2, 54},
       {256_K, 2, 24},
       {8_M, 8, 12},
       4},
      {{"skylake"},
       {2, 64},
       4,
       loads(2, 64),
       {1, 32},
       {32_K, 2, 54},
       {256_K, 2, 28},
       {8_M, 8, 12},
       4},
      {{"alderlake", "raptorlake", "meteorlake", "arrowlake", "arrowlake-s", "lunarlake"},
       {2, 64},
       4,
       loads(3, 96),
       {2, 64},
       {48_K, 2, 80},
       {1280_K, 2, 40},
       {24_M, 16, 12},
       4},
      // One unit for vectors of 64 bytes …
      {{"cannonlake", "icelake-client", "tigerlake", "rocketlake"},
       {2, 64},
       4,
       loads(2, 128),
       {2, 64},
       {48_K, 2, 108},
       {512_K, 2, 40},
       {8_M, 8, 12},
       4},
      // … and two.
      {{"skylake-avx512", "skx", "cascadelake", "cooperlake"},
       {2, 128},
       4,
       loads(2, 128),
       {1, 64},
       {32_K, 2, 108},
       {1_M, 2, 44},
       {22_M, 32, 8},
       3,
       kWidePairs},
      {{"icelake-server"},
       {2, 128},
       4,
       loads(2, 128),
       {2, 64},
       {48_K, 2, 108},
       {1280_K, 2, 44},
       {48_M, 64, 8},
       3,
       kWidePairs},
      {{"sapphirerapids", "emeraldrapids", "graniterapids", "graniterapids-d"},
       {2, 128},
       4,
       loads(2, 128),
       {2, 64},
       {48_K, 2, 108},
       {2_M, 2, 54},
       {60_M, 64, 8},
       3,
       kWidePairs,
       0.25},
      // Arm's: vectors of 16 bytes.
      {{"cortex-a53", "cortex-a55"},
       {1, 16},
       4,
       loads(1, 8),
       {1, 16},
       {32_K, 1, 7},
       {512_K, 4, 5},
       {},
       2},
      {{"cortex-a57", "cortex-a72", "cortex-a73"},
       {2, 32},
       3,
       loads(1, 16),
       {1, 16},
       {32_K, 1, 13},
       {1_M, 4, 9},
       {},
       2},
      {{"cortex-a76", "cortex-a76ae", "cortex-a77", "cortex-a78"},
       {2, 32},
       2,
       loads(2, 32),
       {2, 32},
       {64_K, 1, 27},
       {256_K, 1, 20},
       {2_M, 4, 10},
       4},
      {{"cortex-a710", "cortex-a715", "cortex-a720"},
       {2, 32},
       2,
       loads(3, 48),
       {2, 32},
       {32_K, 1, 40},
       {256_K, 1, 24},
       {4_M, 8, 10},
       4},
      {{"cortex-x1", "cortex-x2", "cortex-x3", "cortex-x4"},
       {4, 64},
       2,
       loads(3, 48),
       {2, 32},
       {64_K, 1, 40},
       {512_K, 1, 28},
       {4_M, 8, 12},
       4},
      {{"neoverse-n1", "ampere1", "ampere1a"},
       {2, 32},
       2,
       loads(2, 32),
       {2, 32},
       {64_K, 1, 27},
       {1_M, 1, 20},
       {32_M, 64, 6},
       4},
      {{"neoverse-n2", "neoverse-n3"},
       {2, 32},
       2,
       loads(3, 48),
       {2, 32},
       {64_K, 1, 40},
       {1_M, 1, 24},
       {32_M, 64, 6},
       4},
      {{"neoverse-v1", "neoverse-512tvb"},
       {4, 64},
       2,
       loads(3, 48),
       {2, 32},
       {64_K, 1, 40},
       {1_M, 1, 28},
       {32_M, 64, 8},
       4},
      {{"neoverse-v2", "neoverse-v3"},
       {4, 64},
       2,
       loads(3, 48),
       {2, 32},
       {64_K, 1, 40},
       {1_M, 1, 28},
       {64_M, 64, 8},
       4},
      {{"apple-m1", "apple-m2", "apple-m3", "apple-m4"},
       {4, 64},
       4,
       loads(3, 48),
       {2, 32},
       {128_K, 1, 40},
       {12_M, 4, 28},
       {},
       12},
  };
  return rows;
}

/// What most processors whose widest vectors these are reach.
Row usual(int vectorBytes) {
  const double bytes = std::clamp(2 * vectorBytes, 32, 64);
  return {{},
          {2, bytes},
          4,
          loads(2, bytes),
          {1, bytes / 2},
          {32_K, 1, kLoads * bytes},
          {512_K, 1, bytes / 2},
          {16_M, 8, 12},
          4};
}

Row rowOf(std::string_view cpu, int vectorBytes) {
  for (const Row& row : table())
    if (std::ranges::find(row.cpus, cpu) != row.cpus.end()) return row;
  return usual(vectorBytes);
}

} // namespace

Machine machineOf(std::string_view cpu, Architecture architecture, int vectorBytes) {
  const Row row = rowOf(cpu, vectorBytes);
  Machine machine;
  machine.vectorBytes = vectorBytes;
  machine.vectorRegisters = architecture == Architecture::AArch64 || vectorBytes == 64 ? 32 : 16;
  machine.fma = row.fma;
  machine.fmaLatency = row.fmaLatency;
  machine.dot = row.fma;
  machine.halfDot = {row.halfDots * row.fma.perCycle, row.halfDots * row.fma.bytesPerCycle};
  machine.pairs = {row.pairs * row.fma.perCycle, row.pairs * row.fma.bytesPerCycle};
  machine.load = row.load;
  machine.store = row.store;
  machine.l1 = row.l1;
  machine.l2 = row.l2;
  machine.l3 = row.l3;
  machine.memoryBytesPerCycle = row.memoryBytesPerCycle;
  return machine;
}

std::vector<std::string_view> describedProcessors() {
  std::vector<std::string_view> names;
  for (const Row& row : table()) names.insert(names.end(), row.cpus.begin(), row.cpus.end());
  return names;
}

} // namespace enfold::kir
