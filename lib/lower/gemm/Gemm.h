// Matrix products: gemm and matmul of any rank, with broadcast batch dimensions.
#pragma once

#include "lower/Lowering.h"

namespace enfold::lower {

std::string refuseGemm(const Op& op, const kir::Target& target);
void lowerGemm(const Op& op, Lowering& lowering);

} // namespace enfold::lower
