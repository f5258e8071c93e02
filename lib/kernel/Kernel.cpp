// The op table as data, and queries on kernels.
#include "kernel/Kernel.h"

#include <algorithm>
#include <array>

namespace enfold::kir {

const OpInfo& info(Op op) {
  static constexpr auto kTable = std::to_array<OpInfo>({
#define ENFOLD_KIR_OP(name, text, operands, kind) {text, operands, OpKind::kind},
#include "kernel/Ops.def"
  });
  return kTable[static_cast<size_t>(op)];
}

int64_t Kernel::numParams() const {
  return std::ranges::count(buffers, Space::Param, &BufferInfo::space);
}

} // namespace enfold::kir
