// A plain copy of bytes.
#pragma once

#include "kernel/Kernel.h"

namespace enfold::lower {

/// Kernel (src, dst) that copies `bytes` bytes, a page-sized piece an iteration.
kir::Kernel copyKernel(int64_t bytes);

} // namespace enfold::lower
