// Grouped convolution, depthwise among them, on the channel-blocked layout.
#pragma once

#include "lower/Lowering.h"

namespace enfold::lower {

std::string refuseConvGrouped(const Op& op, const kir::Target& target);
void lowerConvGrouped(const Op& op, Lowering& lowering);

} // namespace enfold::lower
