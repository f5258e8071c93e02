// Pointwise kernels: one elementwise op of any arity and broadcasting, with its epilogue.
#pragma once

#include "lower/Lowering.h"

namespace enfold::lower {

std::string refusePointwise(const Op& op, const kir::Target& target);
void lowerPointwise(const Op& op, Lowering& lowering);

} // namespace enfold::lower
