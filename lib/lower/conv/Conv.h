// Convolution: one family of several kernels, the best of which lowers an op.
#pragma once

#include "lower/Lowering.h"

namespace enfold::lower {

void lowerConv(const Op& op, Lowering& lowering);

} // namespace enfold::lower
