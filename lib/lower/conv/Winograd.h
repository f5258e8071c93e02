// Winograd convolution: 3x3 windows of stride 1 on the channel-blocked layout.
#pragma once

#include "lower/Lowering.h"

namespace enfold::lower {

std::string refuseWinograd(const Op& op, const kir::Target& target);
void lowerWinograd(const Op& op, Lowering& lowering);

} // namespace enfold::lower
