// Direct convolution onto the channel-blocked layout.
#pragma once

#include "lower/Lowering.h"

namespace enfold::lower {

void lowerConvDirect(const Op& op, Lowering& lowering);

} // namespace enfold::lower
