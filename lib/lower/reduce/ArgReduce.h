// argmax and argmin.
#pragma once

#include "lower/Lowering.h"

namespace enfold::lower {

std::string refuseArgReduce(const Op& op, const kir::Target& target);
void lowerArgReduce(const Op& op, Lowering& lowering);

} // namespace enfold::lower
