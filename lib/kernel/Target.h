// What a kernel author needs to know of the machine that will run the kernel: how wide vectors are,
// how many registers hold accumulators, how large the caches are. codegen/TargetInfo.h fills it in.
#pragma once

#include "kernel/Type.h"

#include <string>

namespace enfold::kir {

enum class Architecture : uint8_t { X86_64, AArch64 };

/// Instruction sets of x86-64 in ascending order, each containing those before. Elsewhere it is
/// Scalar.
enum class Isa : uint8_t {
  Scalar, ///< the baseline of a target; kernels are written for 16 bytes
  Sse42,
  Avx2, ///< with FMA and F16C
  Avx512,
};

/// "x86-64", "AArch64".
std::string_view name(Architecture architecture);
/// "scalar", "sse4.2", "avx2", "avx512".
std::string_view name(Isa isa);

struct Target {
  Architecture architecture = Architecture::X86_64;
  std::string cpu;      ///< LLVM's name of the processor
  std::string features; ///< LLVM's feature string
  Isa isa = Isa::Scalar;
  int vectorBytes = 16; ///< vector width to write kernels for
  int vectorRegisters = 16;
  std::string needs; ///< what a CPU must have to run the code, as in enfold_program::isa
  bool hasFma = false;
  bool hasF16Conversion = false; ///< between half and single precision
  int64_t l1Bytes = 32 << 10;    ///< data, per core
  int64_t l2Bytes = 512 << 10;   ///< per core
  int64_t l3Bytes = 16 << 20;    ///< shared

  /// Elements in a vector: at least 1.
  int lanes(Scalar scalar) const {
    int n = vectorBytes / static_cast<int>(sizeInBytes(scalar));
    return n > 1 ? n : 1;
  }
};

} // namespace enfold::kir
