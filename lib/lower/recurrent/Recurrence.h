// Recurrent ops, behind the product of their input with the weights of all gates.
#pragma once

#include "lower/Lowering.h"

namespace enfold::lower {

std::string refuseRecurrence(const Op& op, const kir::Target& target);
void lowerRecurrence(const Op& op, Lowering& lowering);

} // namespace enfold::lower
