// Internal to the public C++ interface: its options and failures in the driver's terms.
#pragma once

#include "driver/Compiler.h"
#include "driver/Model.h"

#include <enfold/enfold.hpp>

namespace enfold {

Failure failure(const Error& error);

LoadOptions loadOptions(const ModuleOptions& options);
CompileOptions compileOptions(const ModuleOptions& options);

inline bool keepsSubnormals(const ModuleOptions& options) {
  return options.subnormals == ModuleOptions::Subnormals::Keep;
}

} // namespace enfold
