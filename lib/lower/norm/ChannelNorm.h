// Instance and group normalization: every channel, or group of channels, of every image is
// normalized over its pixels, on plain and on channel-blocked tensors.
#pragma once

#include "ir/OpLayouts.h"
#include "lower/Lowering.h"

namespace enfold::lower {

std::string refuseChannelNorm(const Op& op, const kir::Target& target);
void lowerChannelNorm(const Op& op, Lowering& lowering);
OpLayouts channelNormLayouts(const Op& op, const kir::Target& target);

} // namespace enfold::lower
