// Resize on the channel-blocked layout.
#pragma once

#include "ir/OpLayouts.h"
#include "lower/Lowering.h"

namespace enfold::lower {

std::string refuseBlockedResize(const Op& op, const kir::Target& target);
void lowerBlockedResize(const Op& op, Lowering& lowering);
OpLayouts blockedResizeLayouts(const Op& op, const kir::Target& target);

} // namespace enfold::lower
