// The layouts in which an op is computed: what a kernel family states, and assign-layout puts into
// effect.
#pragma once

#include "ir/Type.h"

#include <vector>

namespace enfold {

struct OpLayouts {
  Layout data;   ///< of the first operand; of every operand of a concatenation
  Layout result; ///< of all results, and of operands that have their shape
  /// Operands of the epilogue that must get the result's shape first.
  std::vector<size_t> expanded = {};

  bool arePlain() const { return data.isPlain() && result.isPlain(); }
};

} // namespace enfold
