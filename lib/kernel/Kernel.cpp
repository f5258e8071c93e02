// Queries on kernels.
#include "kernel/Kernel.h"

#include <algorithm>

namespace enfold::kir {

int64_t Kernel::numParams() const {
  return std::ranges::count(buffers, Space::Param, &BufferInfo::space);
}

} // namespace enfold::kir
