// Direct convolution onto the channel-blocked layout.
#pragma once

#include "lower/Lowering.h"

namespace enfold::lower {

std::string refuseConvDirect(const Op& op, const kir::Target& target);
void lowerConvDirect(const Op& op, Lowering& lowering);

} // namespace enfold::lower
