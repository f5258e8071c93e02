// topk: the first few of a line's elements, in order.
#pragma once

#include "lower/Lowering.h"

namespace enfold::lower {

std::string refuseTopK(const Op& op, const kir::Target& target);
void lowerTopK(const Op& op, Lowering& lowering);

} // namespace enfold::lower
