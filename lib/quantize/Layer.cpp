// Weights of layers by output channels. A transposed convolution in groups has one scale for the
// channels of the same place in their groups, since ONNX knows no axis of all of them.
#include "quantize/Layer.h"

#include "passes/Weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace enfold::quantize {
namespace {

constexpr double kMostBias = 0x1p30; ///< code; leaves as much for the sum of products

/// The axis of the weights that output channels lie along.
int64_t scaleAxis(const Op& layer) {
  switch (layer.kind()) {
  case OpKind::Conv:
    return 0;
  case OpKind::Gemm:
    return layer.integer("transB") != 0 ? 0 : 1;
  default:
    return 1;
  }
}

bool isFinite(const Tensor& tensor) {
  return std::ranges::all_of(tensor.values<float>(), [](float x) { return std::isfinite(x); });
}

bool isPerChannel(const Tensor& bias, int64_t channels) {
  return bias.elem() == ElemType::F32 && bias.numElements() == channels &&
         (bias.rank() > 0 ? bias.shape().back() == channels : channels == 1);
}

} // namespace

std::optional<std::string> obstacleOf(const Op& layer) {
  const Tensor* weights = layer.own(1)->constant();
  if (layer.own(0)->elem() != ElemType::F32)
    return fmt::format("it computes in {}", name(layer.own(0)->elem()));
  if (layer.own(0)->constant()) return "its input is a constant";
  if (!weights) return "its weights are computed";
  if (weights->numElements() == 0 || layer.result()->type().numElements() == 0)
    return "it is empty";
  if (!isFinite(*weights)) return "its weights are not finite";
  if (layer.kind() == OpKind::MatMul && weights->rank() != 2)
    return "its weights are not one matrix";
  if (layer.kind() == OpKind::Gemm && (layer.integer("transA") != 0 || layer.real("alpha") != 1 ||
                                       (layer.own(2) && layer.real("beta") != 1)))
    return "it transposes its input or has factors";
  if (layer.kind() == OpKind::MatMul && layer.own(0)->type().rank() < 2)
    return "its input is a vector";
  double most = 0;
  for (const float w : weights->values<float>()) most = std::max(most, std::fabs(double(w)));
  if (most > kGreatestScale) return fmt::format("its weights are as large as {:.3g}", most);
  return std::nullopt;
}

std::string nameOf(const Op& op) {
  return op.origins().empty() ? op.result()->name() : op.origins().front();
}

int64_t channelsOf(const Op& layer) {
  return layer.result()->shape()[static_cast<size_t>(outputChannelAxis(layer))];
}

bool canCarryBias(const Op& layer) {
  if (layer.kind() == OpKind::MatMul) return false;
  if (!layer.own(2)) return true;
  const Tensor* bias = layer.own(2)->constant();
  return bias && isPerChannel(*bias, channelsOf(layer)) && isFinite(*bias);
}

std::vector<double> biasOf(const Op& layer) {
  return layer.own(2) ? doublesOf(*layer.own(2)->constant()) : std::vector<double>();
}

Tensor QuantizedWeights::dequantized() const {
  Tensor result(ElemType::F32, codes.shape());
  float* out = result.mutableData<float>();
  int64_t inner = 1;
  for (size_t i = static_cast<size_t>(axis) + 1; i < codes.shape().size(); ++i)
    inner *= codes.shape()[i];
  const auto count = static_cast<int64_t>(scales.size());
  for (int64_t i = 0; i < codes.numElements(); ++i)
    out[i] = static_cast<float>(codes.data<int8_t>()[i]) *
             scales[static_cast<size_t>(i / inner % count)];
  return result;
}

QuantizedWeights quantizedWeights(const Op& layer, WeightRange range, float inputScale,
                                  const std::vector<double>& bias) {
  const std::vector<double> weights = doublesOf(*layer.own(1)->constant());
  const std::vector<uint32_t> channel = outputChannels(layer);
  QuantizedWeights result;
  result.axis = scaleAxis(layer);
  const Shape& shape = layer.own(1)->shape();
  const auto count = static_cast<size_t>(shape[static_cast<size_t>(result.axis)]);
  const double most = range == WeightRange::Full ? 127 : 64;

  std::vector<double> magnitudes(count, 0);
  for (size_t i = 0; i < weights.size(); ++i)
    magnitudes[channel[i] % count] =
        std::max(magnitudes[channel[i] % count], std::fabs(weights[i]));
  std::vector<double> least(count, kLeastScale);
  for (size_t c = 0; c < bias.size(); ++c)
    least[c % count] = std::max(least[c % count], std::fabs(bias[c]) / inputScale / kMostBias);
  for (size_t k = 0; k < count; ++k)
    result.scales.push_back(static_cast<float>(std::max(magnitudes[k] / most, least[k])));

  result.codes = Tensor(ElemType::I8, shape);
  auto* codes = result.codes.mutableData<int8_t>();
  for (size_t i = 0; i < weights.size(); ++i) {
    const double code = std::nearbyint(weights[i] / result.scales[channel[i] % count]);
    codes[i] = static_cast<int8_t>(std::clamp(code, -most, most));
  }
  for (size_t c = 0; c < bias.size(); ++c) {
    result.biasScales.push_back(inputScale * result.scales[c % count]);
    const double code = std::nearbyint(bias[c] / result.biasScales.back());
    result.bias.push_back(static_cast<int32_t>(std::clamp(code, -kMostBias, kMostBias)));
  }
  return result;
}

} // namespace enfold::quantize
