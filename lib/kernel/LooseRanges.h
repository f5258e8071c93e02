// Kernels that are to depend on sizes as little as they can.
#pragma once

#include "kernel/Index.h"

namespace enfold::kir {

/// While one lives, the builders of its thread take the indices of parallel loops, and of long
/// ones, for any numbers that are not negative. Less folds away then, but what is left has the same
/// shape for most sizes.
class LooseRanges {
public:
  LooseRanges();
  ~LooseRanges();
  LooseRanges(const LooseRanges&) = delete;
  LooseRanges& operator=(const LooseRanges&) = delete;

  /// Whether one lives in this thread.
  static bool areWanted();

private:
  bool outer_;
};

/// The number; where loose ranges are wanted, as one that nothing folds with.
Index looseNumber(Builder& b, int64_t number);

} // namespace enfold::kir
