// Padding with elements of the tensor itself: edge, reflect and wrap.
#pragma once

#include "ir/OpLayouts.h"
#include "lower/Lowering.h"

namespace enfold::lower {

std::string refuseEdgePad(const Op& op, const kir::Target& target);
void lowerEdgePad(const Op& op, Lowering& lowering);
OpLayouts edgePadLayouts(const Op& op, const kir::Target& target);

} // namespace enfold::lower
