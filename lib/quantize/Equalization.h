// Cross-layer equalization: where a layer's channels go to the next layer one by one, each may be
// scaled by any positive factor, if the next layer divides by it (Nagel, van Baalen, Blankevoort
// and Welling, "Data-Free Quantization Through Weight Equalization and Bias Correction", 2019).
//
// All channels of a tensor have one scale, so those of small range are rounded coarsely. A factor
// weighs that against what it does to the weights behind: s = sqrt(r w) / r makes the range r of
// the channel, and the weights w that read it, equal. Since weights have one scale an output
// channel, r is the range of the activations on the samples, not that of the weights in front.
// Weights of a depthwise layer have a scale for each of its input channels, so there r alone
// counts.
#pragma once

#include "quantize/Calibration.h"

namespace enfold::quantize {

/// Two layers with nothing in between but ops that commute with factors of channels.
struct EqualizablePair {
  Op* first;
  Op* second;
  Value* between; ///< what the second layer reads
};

/// The pairs, in the order of the graph. Between them stand relus, leaky relus, prelus and pools.
std::vector<EqualizablePair> equalizablePairs(const Graph& graph);

/// The factor of each channel for ranges of activations and of the weights that read them; their
/// geometric mean is 1. Channels that are dead, or that nothing reads, keep 1.
std::vector<double> equalizingFactors(std::span<const Range> activations,
                                      std::span<const double> weights);

/// Scales the channels of all pairs, whose ranges the statistics know. The function of the graph
/// stays the same up to rounding. Gives the number of pairs.
size_t equalize(Graph& graph, const Statistics& statistics);

} // namespace enfold::quantize
