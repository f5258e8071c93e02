// Internal to lib/codegen: linking an object into a shared library with the system's tools.
#pragma once

#include "support/Result.h"

#include <string>

namespace enfold::codegen {

/// The bytes of a shared library that holds `object`. Uses the first found on the PATH of the C
/// compilers cc, gcc and clang and the linkers ld.lld, ld.lld-19 and ld.
Result<std::string> linkShared(const std::string& object);

} // namespace enfold::codegen
