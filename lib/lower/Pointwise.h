// Pointwise kernels: one elementwise op of any arity and broadcasting, with its epilogue.
#pragma once

#include "ir/OpLayouts.h"
#include "lower/Lowering.h"

namespace enfold::lower {

std::string refusePointwise(const Op& op, const kir::Target& target);
void lowerPointwise(const Op& op, Lowering& lowering);
OpLayouts pointwiseLayouts(const Op& op, const kir::Target& target);

} // namespace enfold::lower
