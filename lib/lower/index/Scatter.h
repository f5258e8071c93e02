// scatter_elements and scatter_nd.
#pragma once

#include "lower/Lowering.h"

namespace enfold::lower {

std::string refuseScatterElements(const Op& op, const kir::Target& target);
void lowerScatterElements(const Op& op, Lowering& lowering);

std::string refuseScatterND(const Op& op, const kir::Target& target);
void lowerScatterND(const Op& op, Lowering& lowering);

} // namespace enfold::lower
