// Depthwise convolution on the channel-blocked layout.
#pragma once

#include "lower/Lowering.h"

namespace enfold::lower {

std::string refuseDepthwise(const Op& op, const kir::Target& target);
void lowerDepthwise(const Op& op, Lowering& lowering);

} // namespace enfold::lower
