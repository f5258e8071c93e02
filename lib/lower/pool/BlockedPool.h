// Pooling on the channel-blocked layout: max_pool, average_pool and the global pools.
#pragma once

#include "ir/OpLayouts.h"
#include "lower/Lowering.h"

namespace enfold::lower {

std::string refuseBlockedPool(const Op& op, const kir::Target& target);
void lowerBlockedPool(const Op& op, Lowering& lowering);
OpLayouts blockedPoolLayouts(const Op& op, const kir::Target& target);

std::string refuseBlockedGlobalPool(const Op& op, const kir::Target& target);
void lowerBlockedGlobalPool(const Op& op, Lowering& lowering);
OpLayouts blockedGlobalPoolLayouts(const Op& op, const kir::Target& target);

} // namespace enfold::lower
