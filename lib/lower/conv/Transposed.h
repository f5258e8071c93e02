// Transposed convolution (conv_transpose) with constant weights.
#pragma once

#include "lower/Lowering.h"

namespace enfold::lower {

std::string refuseConvTransposed(const Op& op, const kir::Target& target);
void lowerConvTransposed(const Op& op, Lowering& lowering);

} // namespace enfold::lower
