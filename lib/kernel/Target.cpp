// Names of architectures and instruction sets.
#include "kernel/Target.h"

namespace enfold::kir {

std::string_view name(Architecture architecture) {
  switch (architecture) {
  case Architecture::X86_64:
    return "x86-64";
  case Architecture::AArch64:
    return "AArch64";
  }
  return {};
}

std::string_view name(Isa isa) {
  switch (isa) {
  case Isa::Scalar:
    return "scalar";
  case Isa::Sse42:
    return "sse4.2";
  case Isa::Avx2:
    return "avx2";
  case Isa::Avx512:
    return "avx512";
  }
  return {};
}

} // namespace enfold::kir
