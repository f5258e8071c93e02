// gather of bytes from a table of 256: any function of an 8-bit number.
#pragma once

#include "ir/OpLayouts.h"
#include "lower/Lowering.h"

namespace enfold::lower {

std::string refuseLookup(const Op& op, const kir::Target& target);
/// Any: indices and result alike.
OpLayouts lookupLayouts(const Op& op, const kir::Target& target);
void lowerLookup(const Op& op, Lowering& lowering);

} // namespace enfold::lower
