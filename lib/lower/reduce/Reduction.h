// Reductions over any axes (sum, mean, product, minimum, maximum and the norms) and global pools of
// plain tensors.
#pragma once

#include "lower/Lowering.h"

namespace enfold::lower {

std::string refuseReduction(const Op& op, const kir::Target& target);
void lowerReduction(const Op& op, Lowering& lowering);

} // namespace enfold::lower
