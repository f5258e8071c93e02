// Internal to lib/codegen: linking an object into a shared library with the system's tools.
#pragma once

#include "kernel/Target.h"
#include "support/Result.h"

#include <string>

namespace enfold::codegen {

/// The bytes of a shared library that holds `object`. Uses the first found on the PATH of the C
/// compilers cc, gcc and clang and the linkers ld.lld, ld.lld-19 and ld, or for AArch64 of
/// aarch64-linux-gnu-gcc and the linkers.
Result<std::string> linkShared(const std::string& object, const kir::Target& target);

} // namespace enfold::codegen
