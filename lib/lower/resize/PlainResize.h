// Resize on the plain layout.
#pragma once

#include "lower/Lowering.h"

namespace enfold::lower {

std::string refusePlainResize(const Op& op, const kir::Target& target);
void lowerPlainResize(const Op& op, Lowering& lowering);

} // namespace enfold::lower
