// Layers: ops that multiply by constant weights, which is what quantization makes fast.
#pragma once

#include "ir/Graph.h"
#include "quantize/Scale.h"

#include <optional>

namespace enfold::quantize {

/// Why the weights of a convolution or matrix product cannot be quantized; none if they can.
std::optional<std::string> obstacleOf(const Op& layer);

/// The node's name, or the name of the result where it has none.
std::string nameOf(const Op& op);

/// Number of output channels.
int64_t channelsOf(const Op& layer);

/// Whether the layer has one constant number a channel as its bias, or could have.
bool canCarryBias(const Op& layer);
/// The bias of a layer that can carry one; empty if it has none.
std::vector<double> biasOf(const Op& layer);

enum class WeightRange : uint8_t {
  Full,    ///< codes from -127 to 127
  Reduced, ///< from -64 to 64: sums of two products with bytes fit 16 bits
};

/// Weights as signed codes around 0, and the bias in the scale of the sums.
struct QuantizedWeights {
  Tensor codes;              ///< i8
  std::vector<float> scales; ///< along `axis`
  int64_t axis = 0;
  std::vector<int32_t> bias; ///< one a channel; empty: none
  std::vector<float> biasScales;

  /// The numbers that the codes stand for.
  Tensor dequantized() const;
};

/// The weights of the layer, with one scale an output channel. `bias` is as of biasOf; scales are
/// large enough for its codes.
QuantizedWeights quantizedWeights(const Op& layer, WeightRange range, float inputScale,
                                  const std::vector<double>& bias);

} // namespace enfold::quantize
