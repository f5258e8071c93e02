// What follows from a description.
#include "kernel/Machine.h"

#include <cmath>

namespace enfold::kir {

std::string_view name(DotProduct instruction) {
  switch (instruction) {
  case DotProduct::Avx512Vnni:
    return "avx512_vnni";
  case DotProduct::AvxVnni:
    return "avx_vnni";
  case DotProduct::Avx512Bf16:
    return "avx512_bf16";
  case DotProduct::AmxInt8:
    return "amx_int8";
  case DotProduct::AmxBf16:
    return "amx_bf16";
  case DotProduct::ArmDotprod:
    return "dotprod";
  case DotProduct::ArmI8mm:
    return "i8mm";
  case DotProduct::ArmBf16:
    return "bf16";
  }
  return {};
}

std::span<const DotProduct> allDotProducts() {
  static constexpr DotProduct kAll[] = {
      DotProduct::Avx512Vnni, DotProduct::AvxVnni,    DotProduct::Avx512Bf16, DotProduct::AmxInt8,
      DotProduct::AmxBf16,    DotProduct::ArmDotprod, DotProduct::ArmI8mm,    DotProduct::ArmBf16};
  return kAll;
}

int64_t Machine::chains(int bytes) const {
  return static_cast<int64_t>(std::ceil(fma.of(bytes) * fmaLatency));
}

double Machine::bytesPerCycle(int64_t bytes) const {
  for (const CacheLevel& level : {l1, l2, l3})
    if (bytes <= level.bytes / 2) return level.bytesPerCycle;
  return memoryBytesPerCycle;
}

} // namespace enfold::kir
