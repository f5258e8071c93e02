// The processor as cost models see it: vectors, instructions per cycle, caches, and what starting
// and joining work costs. Every model reads its numbers here; none has its own.
//
// A description has a text form (kernel/MachineText.h), so that schedules for a processor that is
// not at hand can be looked at.
#pragma once

#include "kernel/Type.h"

#include <algorithm>
#include <set>
#include <span>
#include <vector>

namespace enfold::kir {

enum class Architecture : uint8_t { X86_64, AArch64 };

/// Instructions of a kind that a core completes per cycle, sustained: no more than `perCycle`, and
/// no more than `bytesPerCycle` of vectors.
struct Throughput {
  double perCycle = 1;
  double bytesPerCycle = 16;

  /// Instructions per cycle on vectors of so many bytes.
  double of(int vectorBytes) const { return std::min(perCycle, bytesPerCycle / vectorBytes); }
  bool operator==(const Throughput&) const = default;
};

/// One level of the data caches.
struct CacheLevel {
  int64_t bytes = 0;        ///< of one cache; 0: there is no such level
  int sharedBy = 1;         ///< hardware threads that use one cache
  double bytesPerCycle = 0; ///< what a core reads from it in sequence, sustained

  /// Bytes for each of the threads that share it.
  int64_t share() const { return bytes / sharedBy; }
  bool operator==(const CacheLevel&) const = default;
};

/// Instructions that add several products of small numbers to one 32-bit sum.
enum class DotProduct : uint8_t {
  Avx512Vnni, ///< 4 products of u8 and i8, or 2 of i16, to i32
  AvxVnni,    ///< the same without AVX-512, on up to 32 bytes
  Avx512Bf16, ///< 2 products of bf16, to f32
  AmxInt8,    ///< of tiles: 4 products of bytes of any signs, to i32
  AmxBf16,    ///< of tiles: 2 products of bf16, to f32
  ArmDotprod, ///< 4 products of i8, or of u8, to i32
  ArmI8mm,    ///< 2x8 by 8x2 matrices of i8 or u8, to i32
  ArmBf16,    ///< 2 products of bf16, to f32
};

/// "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8", "amx_bf16", "dotprod", "i8mm", "bf16".
std::string_view name(DotProduct instruction);
/// All of them, in the order of the enumeration.
std::span<const DotProduct> allDotProducts();

/// Cycles are those of one core.
struct Machine {
  int vectorBytes = 16; ///< the widest vectors to write kernels for
  int vectorRegisters = 16;
  Throughput fma;            ///< multiplications with addition
  double fmaLatency = 4;     ///< cycles from an addend to the sum
  Throughput dot;            ///< dot products of integers, where there are any
  Throughput halfDot;        ///< of bf16, likewise
  double tileDotCycles = 16; ///< from one product of tiles to the next, where there are any
  Throughput pairs; ///< additions to sums of the products of pairs of 16-bit numbers, which are
                    ///< two instructions, without dot products
  Throughput load;  ///< of vectors, or of one number into all lanes
  Throughput store;
  std::set<DotProduct> dotProducts;
  CacheLevel l1, l2, l3;
  double memoryBytesPerCycle = 4; ///< what a core reads from memory in sequence, sustained
  double callCycles = 300;        ///< from the end of one kernel to the start of the next
  double barrierCycles = 3000;    ///< what that takes more when threads share the kernels
  int threads = 8;                ///< that share the iterations of a kernel

  /// Elements in a vector: at least 1.
  int lanes(Scalar scalar) const {
    return std::max(1, vectorBytes / static_cast<int>(sizeInBytes(scalar)));
  }
  /// Sums to compute side by side, so that none waits for the one before.
  int64_t chains(int bytes) const;
  /// What a core reads per cycle when it goes through so many bytes again and again: that of the
  /// nearest level half of which holds them.
  double bytesPerCycle(int64_t bytes) const;

  bool operator==(const Machine&) const = default;
};

/// The description of the processor that LLVM calls `cpu`, for vectors of up to `vectorBytes`: its
/// row in the table of microarchitectures, or else what most processors with such vectors reach.
/// Without dot products, which are a matter of features.
Machine machineOf(std::string_view cpu, Architecture architecture, int vectorBytes);

/// LLVM's names of the processors in the table.
std::vector<std::string_view> describedProcessors();

} // namespace enfold::kir
