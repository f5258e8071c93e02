// Pairs of layers, their factors, and the weights with these.
#include "quantize/Equalization.h"

#include "ir/Rewriter.h"
#include "passes/Match.h"
#include "passes/Weights.h"
#include "quantize/Layer.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace enfold::quantize {
namespace {

/// Factors beyond this only move the trouble elsewhere.
constexpr double kMostFactor = 0x1p10;

/// Whether f(s x) = s f(x) for positive factors of channels.
bool isHomogeneous(const Op& op) {
  switch (op.kind()) {
  case OpKind::AveragePool:
  case OpKind::GlobalAveragePool:
  case OpKind::GlobalMaxPool:
  case OpKind::LeakyRelu:
  case OpKind::MaxPool:
  case OpKind::Relu:
    return op.numResults() == 1 && op.epilogue().empty();
  case OpKind::PRelu:
    return op.own(1)->constant() != nullptr && op.epilogue().empty();
  default:
    return false;
  }
}

bool isConvolution(const Op& op) {
  return op.kind() == OpKind::Conv || op.kind() == OpKind::ConvTranspose;
}

/// The next layer behind `first`, if nothing but homogeneous ops stands in between.
std::optional<EqualizablePair> pairFrom(Op& first) {
  if (!isConvolution(first) || obstacleOf(first) || !canCarryBias(first)) return std::nullopt;
  Value* between = first.result();
  for (Op* op = onlyUser(between); op; op = onlyUser(between)) {
    if (op->own(0) != between) return std::nullopt;
    if (isConvolution(*op)) {
      if (obstacleOf(*op)) return std::nullopt;
      return EqualizablePair{&first, op, between};
    }
    if (!isHomogeneous(*op)) return std::nullopt;
    between = op->result();
  }
  return std::nullopt;
}

/// The greatest weight that reads each input channel, as a part of the greatest of its output
/// channel, whose scale it shares.
std::vector<double> weightsByInput(const Op& layer, size_t channels) {
  const std::vector<double> weights = doublesOf(*layer.own(1)->constant());
  const std::vector<uint32_t> in = inputChannels(layer), out = outputChannels(layer);
  std::vector<double> byOutput(static_cast<size_t>(channelsOf(layer)), 0), byInput(channels, 0);
  for (size_t i = 0; i < weights.size(); ++i)
    byOutput[out[i]] = std::max(byOutput[out[i]], std::fabs(weights[i]));
  for (size_t i = 0; i < weights.size(); ++i)
    if (weights[i] != 0)
      byInput[in[i]] = std::max(byInput[in[i]], std::fabs(weights[i]) / byOutput[out[i]]);
  return byInput;
}

/// Whether each output channel reads one input channel alone.
bool isDepthwise(const Op& layer) { return layer.integer("group") == layer.own(0)->shape()[1]; }

/// Multiplies each number of a constant operand by the factor of its channel.
void scale(Rewriter& rewriter, Op& op, size_t operand, std::span<const uint32_t> channel,
           std::span<const double> factors) {
  Value* old = op.own(operand);
  const Tensor& numbers = *old->constant();
  Tensor result(ElemType::F32, numbers.shape());
  float* out = result.mutableData<float>();
  for (size_t i = 0; i < channel.size(); ++i)
    out[i] = static_cast<float>(numbers.data<float>()[i] * factors[channel[i]]);
  rewriter.setOperand(&op, operand, rewriter.constant(result, old->name() + "_equalized", &op));
  if (old->numUses() == 0) rewriter.erase(old->producer());
}

} // namespace

std::vector<EqualizablePair> equalizablePairs(const Graph& graph) {
  std::vector<EqualizablePair> pairs;
  for (const auto& op : graph.ops())
    if (const auto pair = isLinear(op->kind()) ? pairFrom(*op) : std::nullopt)
      pairs.push_back(*pair);
  return pairs;
}

std::vector<double> equalizingFactors(std::span<const Range> activations,
                                      std::span<const double> weights) {
  std::vector<double> factors(activations.size(), 1);
  std::vector<size_t> live;
  double logs = 0;
  for (size_t c = 0; c < factors.size(); ++c) {
    const double range = std::max(activations[c].high, -activations[c].low);
    if (range <= 0 || weights[c] <= 0) continue;
    factors[c] = std::sqrt(weights[c] / range);
    logs += std::log(factors[c]);
    live.push_back(c);
  }
  const double mean = std::exp(logs / static_cast<double>(std::max<size_t>(live.size(), 1)));
  for (const size_t c : live)
    factors[c] = std::clamp(factors[c] / mean, 1 / kMostFactor, kMostFactor);
  return factors;
}

size_t equalize(Graph& graph, const Statistics& statistics) {
  Rewriter rewriter(graph);
  size_t count = 0;
  for (const EqualizablePair& pair : equalizablePairs(graph)) {
    const auto found = statistics.find(pair.between->name());
    if (found == statistics.end() || !rewriter.begin("equalize", *pair.first)) continue;
    std::vector<Range> ranges = found->second.channels;
    std::vector<double> weights = weightsByInput(*pair.second, ranges.size());
    if (isDepthwise(*pair.second))
      for (size_t c = 0; c < ranges.size(); ++c) {
        // As if the weights had the inverse range: then the factor is that of the range alone.
        const double range = std::max(ranges[c].high, -ranges[c].low);
        if (weights[c] > 0 && range > 0) weights[c] = 1 / range;
      }
    const std::vector<double> factors = equalizingFactors(ranges, weights);
    std::vector<double> inverse;
    for (const double factor : factors) inverse.push_back(1 / factor);
    std::vector<uint32_t> channels(factors.size());
    std::iota(channels.begin(), channels.end(), 0u);
    scale(rewriter, *pair.first, 1, outputChannels(*pair.first), factors);
    if (pair.first->own(2)) scale(rewriter, *pair.first, 2, channels, factors);
    scale(rewriter, *pair.second, 1, inputChannels(*pair.second), inverse);
    ++count;
  }
  return count;
}

} // namespace enfold::quantize
