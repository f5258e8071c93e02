// Reductions over any axes (sum, mean, product, minimum, maximum and the norms) and global pools of
// plain tensors; the extreme of a whole tensor in blocks, too.
#pragma once

#include "ir/OpLayouts.h"
#include "lower/Lowering.h"

namespace enfold::lower {

OpLayouts reductionLayouts(const Op& op, const kir::Target& target);
std::string refuseReduction(const Op& op, const kir::Target& target);
void lowerReduction(const Op& op, Lowering& lowering);

} // namespace enfold::lower
