// Convolution of plain tensors: any element type with arithmetic, and weights that are computed.
#pragma once

#include "lower/Lowering.h"
#include "lower/window/WindowProblem.h"

namespace enfold::lower {

std::string refuseConvPlain(const Op& op, const kir::Target& target);
/// Estimated for f32 on one core.
double plainCycles(const WindowProblem& problem, const kir::Target& target);
void lowerConvPlain(const Op& op, Lowering& lowering);

} // namespace enfold::lower
