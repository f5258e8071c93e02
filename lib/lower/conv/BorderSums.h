// Sums of weights that products with the input's zero point bring into a convolution's sums. At the
// borders fewer taps are inside the input, and so in the sum.
#pragma once

#include "kernel/Builder.h"
#include "lower/Lowering.h"
#include "lower/conv/Groups.h"
#include "lower/conv/IntegerOperands.h"
#include "lower/window/Tiles.h"

namespace enfold::lower {

/// What sums begin with: minus the zero point times the weights of the taps inside the input.
class BorderSums {
public:
  /// Of the run's groups, in whole blocks of `lanes` channels each.
  BorderSums(const Op& op, const GroupRun& run, InputZero zero, int64_t lanes);

  /// Whether sums begin with zero, and there is nothing to declare.
  bool empty() const { return zero_.isKnown() && zero_.number() == 0; }
  void declare(kir::Builder& b, std::vector<BufferRef>& buffers, Lowering& lowering);
  /// For a block of channels, numbered through all groups, at pixel `ow` of a row, the taps of the
  /// depth and the height inside being given.
  kir::Value at(kir::Builder& b, const TapRange& depth, const TapRange& height, int64_t ow,
                const kir::Index& block) const;

private:
  /// Consecutive taps of the width.
  struct Taps {
    int64_t lo, hi;
    bool operator==(const Taps&) const = default;
  };
  Taps tapsAt(int64_t ow) const;

  const Op& op_;
  const GroupRun& run_;
  InputZero zero_;
  const int64_t lanes_, channels_; ///< channels: of all groups, in whole blocks
  std::vector<Taps> kinds_;        ///< of pixels of a row
  std::optional<kir::Buffer> table_;
};

} // namespace enfold::lower
