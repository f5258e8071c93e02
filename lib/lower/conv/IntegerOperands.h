// Operands of a convolution of words as its kernels read them: pixels, of which some have to become
// words first, and of integers pixels less their zero point.
#pragma once

#include "lower/InputZero.h"
#include "lower/IntegerWeights.h"
#include "lower/Words.h"

namespace enfold::lower {

/// Why no kernel takes the operands of a conv_integer. Empty if one does.
std::string refuseIntegerOperands(const Op& op);

/// Of the input as words hold it: bytes of the other sign are shifted by 128. Words of numbers that
/// have none, or are stored without theirs, have 0.
InputZero zeroPointOf(const Op& op, const Words& words);

/// An input in memory.
struct ConvSource {
  BufferRef memory;
  Type type; ///< of its spatial sizes only the product counts
};

/// What the kernel reads for such words: the input itself, or a copy in which pixels are words,
/// those that a strided window of one tap skips are left out, and plain channels are a block.
bool isStaged(const Op& op, const Words& words);
Type stagedType(const Op& op, const Words& words);
ConvSource stageInput(const Op& op, const Words& words, Lowering& lowering);

/// Cycles that making the copy takes, on one core; 0 if there is none.
double stageCycles(const Op& op, const Words& words, const kir::Machine& machine);

} // namespace enfold::lower
