// Identity of kernels up to their names, so that equal ones are generated once.
#pragma once

#include "kernel/Kernel.h"

#include <string>

namespace enfold::kir {

/// Bytes that are equal for two kernels exactly if they compute the same with the same
/// instructions: everything but the names of the kernel, buffers, loops and variables.
std::string structure(const Kernel& kernel);

} // namespace enfold::kir
