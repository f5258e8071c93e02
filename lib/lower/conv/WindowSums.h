// Weights less their zero point may be numbers of nine bits. Shifted so that they are signed bytes,
// they give sums that lack the shift times the sum of the pixels of a window, which is the same for
// all output channels.
#pragma once

#include "kernel/Builder.h"
#include "lower/Lowering.h"
#include "lower/conv/IntegerOperands.h"
#include "lower/window/WindowProblem.h"

#include <optional>

namespace enfold::lower {

/// Whether the weights of a conv_integer are shifted where they are multiplied in such words.
bool isShifted(const Op& op, const Words& words);

/// What the sums of a convolution of one group begin with to make up for shifted weights.
class WindowSums {
public:
  /// Appends the kernels that add up the pixels of each window of `source`, bytes in whole blocks,
  /// of which the problem's windows read all channels.
  WindowSums(const Op& op, const WindowProblem& problem, const ConvSource& source,
             Lowering& lowering);

  /// Declares what it is read from as the kernel's next inputs, of blocks of so many lanes.
  void declare(kir::Builder& b, std::vector<BufferRef>& buffers, Lowering& lowering, int64_t lanes);
  /// Of a block of output channels at a pixel, numbered row by row.
  kir::Value at(kir::Builder& b, const kir::Index& image, const kir::Index& pixel,
                const kir::Index& block) const;

  /// Cycles that adding up the pixels takes, on one core.
  static double cycles(const WindowProblem& problem, const Type& source,
                       const kir::Machine& machine);

private:
  const Op& op_;
  const int64_t images_, pixels_; ///< of the result
  BufferRef memory_;
  int64_t lanes_ = 0;
  std::optional<kir::Buffer> sums_, shifts_;
};

} // namespace enfold::lower
