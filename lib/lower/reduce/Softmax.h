// Softmax and its logarithm along one axis.
#pragma once

#include "lower/Lowering.h"

namespace enfold::lower {

std::string refuseSoftmax(const Op& op, const kir::Target& target);
void lowerSoftmax(const Op& op, Lowering& lowering);

} // namespace enfold::lower
