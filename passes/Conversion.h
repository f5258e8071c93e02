// Widening of numbers of few bits, which the epilogue that reads them can do.
#pragma once

#include "ir/Graph.h"

namespace enfold {

/// Whether the op, by casts and arithmetic with constants, makes its result of its first operand
/// alone, which has fewer bits and the same shape.
bool convertsFewBits(const Op& op);

} // namespace enfold
