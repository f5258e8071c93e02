// Operands of matmul_integer as the kernel multiplies them: numbers less their zero points, in 16
// bits, two neighbours along k at a time.
#pragma once

#include "lower/Lowering.h"

namespace enfold::lower {

/// Pairs that so many numbers fill, the last one with a zero.
inline int64_t pairsOf(int64_t numbers) { return (numbers + 1) / 2; }

/// Why the kernel does not take a matmul_integer. Empty if it does.
std::string refuseIntegerRows(const Op& op);

class IntegerRows {
public:
  explicit IntegerRows(const Op& op)
      : op_(op), depth_(op.own(0)->shape().back()),
        rows_(op.own(0)->type().numElements() / depth_) {}

  /// Appends a kernel that writes the rows of A; gives where.
  BufferRef stage(Lowering& lowering) const;
  /// [panel][pair of k][column of the panel][number of the pair], zero past the last column.
  BufferRef packedColumns(Lowering& lowering, int64_t panel) const;

private:
  /// The buffers are its inputs.
  kir::Kernel stageKernel(Lowering& lowering, std::vector<BufferRef>& buffers) const;

  const Op& op_;
  const int64_t depth_, rows_;
};

} // namespace enfold::lower
