// Winograd convolution: strided, transposed or not, on the channel-blocked layout.
#pragma once

#include "lower/Lowering.h"
#include "lower/conv/WinogradSchedule.h"

namespace enfold::lower {

/// `secondChoice`: see CallFacts.
void lowerConvWinograd(const Op& op, const WinogradCandidate& candidate,
                       const std::string& secondChoice, Lowering& lowering);

} // namespace enfold::lower
