// Dynamic quantization: dynamic_quantize_linear of f32.
#pragma once

#include "ir/OpLayouts.h"
#include "lower/Lowering.h"

namespace enfold::lower {

std::string refuseDynamicQuantize(const Op& op, const kir::Target& target);
OpLayouts dynamicQuantizeLayouts(const Op& op, const kir::Target& target);
void lowerDynamicQuantize(const Op& op, Lowering& lowering);

} // namespace enfold::lower
