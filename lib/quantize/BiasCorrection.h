// Bias correction: rounding shifts the mean of each output channel of a layer. The shift is
// measured on the samples and taken from the bias (Nagel et al., 2019, appendix D), layer by layer,
// so that each sees what the corrected ones in front of it give.
#pragma once

#include "quantize/Insertion.h"
#include "quantize/Runs.h"

namespace enfold::quantize {

/// Biases of all quantized layers that can carry one, with which the mean of each channel is that
/// of the float network.
Result<Biases> correctedBiases(const Graph& graph, const Plan& plan,
                               std::span<const GroupScale> scales, WeightRange weights,
                               const Samples& samples, const RunOptions& options);

} // namespace enfold::quantize
