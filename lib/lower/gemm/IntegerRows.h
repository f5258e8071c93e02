// Operands of matmul_integer as the kernel multiplies them, words of neighbours along k at a time:
// two numbers less their zero points, in 16 bits, or four bytes, whose zero point is in what sums
// begin with.
#pragma once

#include "lower/Lowering.h"
#include "lower/Words.h"

#include <optional>

namespace enfold::lower {

/// Words that so many numbers fill, the last one with zeros.
inline int64_t wordsIn(int64_t numbers, const Words& words) {
  return (numbers + words.channels - 1) / words.channels;
}

/// Why the kernel does not take a matmul_integer. Empty if it does.
std::string refuseIntegerRows(const Op& op);

/// Bytes where an instruction multiplies them and the numbers are such, else pairs.
Words integerWords(const Op& op, const kir::Machine& machine);

class IntegerRows {
public:
  IntegerRows(const Op& op, const Words& words)
      : op_(op), words_(words), depth_(op.own(0)->shape().back()),
        rows_(op.own(0)->type().numElements() / depth_),
        stride_(wordsIn(depth_, words) * words.channels) {}

  /// Where the rows of A are, in whole words; may append a kernel that writes them.
  BufferRef stage(Lowering& lowering) const;
  /// [panel][word of k][column of the panel][number of the word], zero past the last column.
  BufferRef packedColumns(Lowering& lowering, int64_t panel) const;
  /// What the sums of columns begin with, up to a whole panel; none if that is zero.
  std::optional<BufferRef> firstSums(Lowering& lowering, int64_t panel) const;

private:
  /// Bytes as words hold them are the tensor's less this.
  int64_t shift() const;
  /// The buffers are its inputs.
  kir::Kernel stageKernel(Lowering& lowering, std::vector<BufferRef>& buffers) const;

  const Op& op_;
  const Words words_;
  const int64_t depth_, rows_, stride_;
};

} // namespace enfold::lower
