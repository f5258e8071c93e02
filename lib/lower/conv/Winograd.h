// Winograd convolution: 3x3 windows of stride 1 on the channel-blocked layout.
#pragma once

#include "lower/Lowering.h"
#include "lower/conv/WinogradSchedule.h"

namespace enfold::lower {

/// `secondChoice`: see CallFacts.
void lowerConvWinograd(const Op& op, const WinogradSchedule& schedule,
                       const std::string& secondChoice, Lowering& lowering);

} // namespace enfold::lower
