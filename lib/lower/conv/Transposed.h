// Transposed convolution (conv_transpose) with constant weights.
#pragma once

#include "kernel/Target.h"
#include "lower/Lowering.h"

namespace enfold::lower {

std::string refuseConvTransposed(const Op& op, const kir::Target& target);
/// Estimated cycles of the kernel that sums products as they are defined, on one core.
double transposedCycles(const Op& op, const kir::Target& target);
void lowerConvTransposed(const Op& op, Lowering& lowering);

} // namespace enfold::lower
