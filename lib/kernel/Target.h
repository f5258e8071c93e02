// What code is generated for: a processor, the features of it that may be used, and the description
// that kernels are shaped by. codegen/TargetInfo.h fills it in.
#pragma once

#include "kernel/Machine.h"

#include <set>
#include <string>

namespace enfold::kir {

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
  std::string needs; ///< what a CPU must have to run the code, as in enfold_program::isa
  bool hasFma = false;
  bool hasF16Conversion = false; ///< between half and single precision
  bool hasBytePermutes = false;  ///< of the bytes of two whole vectors (AVX-512 VBMI)
  bool hasTiles = false;         ///< of Kernel IR; else they are arrays, and slow
  Machine machine;
  /// Kernels that are not to be used, of lower/Families.h's kernelNames().
  std::set<std::string, std::less<>> disabledKernels;

  /// Elements in a vector: at least 1.
  int lanes(Scalar scalar) const { return machine.lanes(scalar); }
  /// The same with vectors of so many f32 elements.
  Target withLanes(int lanes) const {
    Target target = *this;
    target.machine.vectorBytes = lanes * 4;
    return target;
  }
};

} // namespace enfold::kir
