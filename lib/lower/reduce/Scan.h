// cumsum and cumprod.
#pragma once

#include "lower/Lowering.h"

namespace enfold::lower {

std::string refuseScan(const Op& op, const kir::Target& target);
void lowerScan(const Op& op, Lowering& lowering);

} // namespace enfold::lower
