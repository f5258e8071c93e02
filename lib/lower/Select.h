// A choice between two values by a condition of one bool.
#pragma once

#include "lower/Lowering.h"

namespace enfold::lower {

std::string refuseSelect(const Op& op, const kir::Target& target);
void lowerSelect(const Op& op, Lowering& lowering);

} // namespace enfold::lower
