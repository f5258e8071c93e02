// Winograd convolution of 8-bit integers, exact.
#pragma once

#include "lower/Lowering.h"
#include "lower/conv/WinogradSchedule.h"

namespace enfold::lower {

/// Why a conv_integer whose operands are those of integer kernels cannot be computed so, or would
/// not be exact. Empty if it can.
std::string refuseIntegerWinograd(const Op& op, const kir::Target& target);

void lowerIntegerWinograd(const Op& op, const WinogradCandidate& candidate,
                          const std::string& secondChoice, Lowering& lowering);

} // namespace enfold::lower
