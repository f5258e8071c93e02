// Pools over windows of plain tensors, of any element type, with the places of maxima if wanted.
#pragma once

#include "lower/Lowering.h"

namespace enfold::lower {

std::string refusePlainPool(const Op& op, const kir::Target& target);
void lowerPlainPool(const Op& op, Lowering& lowering);

} // namespace enfold::lower
