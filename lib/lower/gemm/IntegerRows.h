// Operands of matmul_integer as the kernel multiplies them, words of neighbours along k at a time:
// two numbers less their zero points, in 16 bits, or four bytes, whose zero point is in what sums
// begin with. Weights of nine bits are shifted to be bytes; the sums of rows make up for it.
#pragma once

#include "kernel/Builder.h"
#include "lower/InputZero.h"
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
        stride_(wordsIn(depth_, words) * words.channels) {
    if (words_.channels == kBytes.channels) zero_ = InputZero(op, -shift());
  }

  /// Where the rows of A are, in whole words; may append a kernel that writes them.
  BufferRef stage(Lowering& lowering) const;
  /// [panel][word of k][column of the panel][number of the word], zero past the last column.
  BufferRef packedColumns(Lowering& lowering, int64_t panel) const;
  /// Declares what sums begin with as the kernel's next inputs. `rows` is what stage() gave; may
  /// append a kernel that adds up rows.
  void declareFirstSums(kir::Builder& b, std::vector<BufferRef>& buffers, const BufferRef& rows,
                        int64_t panel, Lowering& lowering);
  /// What the sums of some columns of a row begin with; none if that is zero.
  std::optional<kir::Value> firstSum(kir::Builder& b, const kir::Index& row,
                                     const kir::Index& column, int lanes) const;

private:
  /// Of the bytes of each row.
  BufferRef rowSums(const BufferRef& rows, Lowering& lowering) const;
  /// Bytes as words hold them are the tensor's less this.
  int64_t shift() const;
  /// The buffers are its inputs.
  kir::Kernel stageKernel(Lowering& lowering, std::vector<BufferRef>& buffers) const;

  const Op& op_;
  const Words words_;
  const int64_t depth_, rows_, stride_;
  InputZero zero_; ///< of bytes as words hold them
  std::optional<kir::Buffer> columns_, shifts_, sums_;
};

} // namespace enfold::lower
