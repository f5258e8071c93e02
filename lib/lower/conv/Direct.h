// Direct convolution onto the channel-blocked layout.
#pragma once

#include "lower/Lowering.h"
#include "lower/conv/Schedule.h"

namespace enfold::lower {

/// `secondChoice`: see CallFacts.
void lowerConvDirect(const Op& op, const DirectCandidate& candidate,
                     const std::string& secondChoice, Lowering& lowering);

} // namespace enfold::lower
