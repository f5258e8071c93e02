// Ops that move elements without computing, as strided copies.
#pragma once

#include "ir/OpLayouts.h"
#include "lower/Lowering.h"

namespace enfold::lower {

/// transpose, slice, split, concat, expand, tile, depth_to_space, space_to_depth, reorder, pad with
/// a constant, and the ops that rename a shape when their operand could not be shared.
std::string refuseMovement(const Op& op, const kir::Target& target);
void lowerMovement(const Op& op, Lowering& lowering);
OpLayouts movementLayouts(const Op& op, const kir::Target& target);

} // namespace enfold::lower
