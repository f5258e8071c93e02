// Layer and root-mean-square normalization: the dimensions from an axis on are normalized together.
#pragma once

#include "lower/Lowering.h"

namespace enfold::lower {

std::string refuseRowNorm(const Op& op, const kir::Target& target);
void lowerRowNorm(const Op& op, Lowering& lowering);

} // namespace enfold::lower
