// The biases are inputs of a network that is compiled once, and it gives the mean of each layer's
// channels before any activation.
#include "quantize/BiasCorrection.h"

#include "ir/Rewriter.h"
#include "passes/Weights.h"

#include <fmt/format.h>

namespace enfold::quantize {
namespace {

/// The layers that can carry a bias, and how many of them lie in front of each on the longest way.
struct Correctable {
  std::vector<const Op*> layers;
  std::vector<size_t> depths;

  Correctable(const Graph& graph, const Plan& plan) {
    std::unordered_set<const Op*> wanted;
    for (const Layer& layer : plan.layers)
      if (layer.isQuantized() && canCarryBias(*layer.op)) wanted.insert(layer.op);
    std::unordered_map<const Op*, size_t> behind;
    for (const auto& op : graph.ops()) {
      size_t depth = 0;
      for (const Value* operand : op->operands())
        if (operand && operand->producer()) depth = std::max(depth, behind[operand->producer()]);
      behind[op.get()] = depth + wanted.contains(op.get());
      if (!wanted.contains(op.get())) continue;
      layers.push_back(op.get());
      depths.push_back(depth);
    }
  }
};

/// Adds the mean of each channel of each layer to the graph, and gives their names.
Result<std::vector<std::string>> addMeans(Graph& graph, std::span<const Op* const> layers) {
  std::vector<std::string> names;
  for (const Op* layer : layers) {
    Value* y = graph.find(layer->result()->name());
    std::vector<int64_t> axes;
    for (int64_t axis = 0; axis < y->type().rank(); ++axis)
      if (axis != outputChannelAxis(*layer)) axes.push_back(axis);
    const Tensor list = Tensor::of(Shape{std::ssize(axes)}, std::span<const int64_t>(axes));
    ENFOLD_TRY(const Op* mean, graph.create({.kind = OpKind::ReduceMean,
                                             .operands = {y, graph.constant(list, "axes")},
                                             .attrs = {{"keepdims", int64_t{0}}}}));
    names.push_back(mean->result()->name());
  }
  return names;
}

using Means = std::vector<std::vector<double>>;

/// The means over the samples; `more` are inputs behind those of the samples.
Result<Means> meansOf(ObservedNetwork& network, std::span<const Tensor> more,
                      const Samples& samples, const RunOptions& options, std::string_view what) {
  Means means;
  ENFOLD_RETURN_IF_ERROR(
      forEachSample(samples, options, what, [&](size_t, auto sample) -> Result<> {
        std::vector<Tensor> inputs(sample.begin(), sample.end());
        inputs.insert(inputs.end(), more.begin(), more.end());
        ENFOLD_TRY(const ObservedNetwork::Run run, network.run(inputs));
        means.resize(run.tensors.size());
        for (size_t k = 0; k < means.size(); ++k) {
          const std::span<const float> values = run.tensors[k].template values<float>();
          means[k].resize(values.size(), 0);
          for (size_t c = 0; c < values.size(); ++c)
            means[k][c] += values[c] / static_cast<double>(samples.count);
        }
        return {};
      }));
  return means;
}

Tensor tensorOf(const std::vector<double>& numbers) {
  Tensor tensor(ElemType::F32, {std::ssize(numbers)});
  for (int64_t i = 0; i < tensor.numElements(); ++i)
    tensor.setDouble(i, numbers[static_cast<size_t>(i)]);
  return tensor;
}

/// Makes the bias of each layer, which must have one, an input of the graph.
void takeBiasesFromInputs(Graph& graph, std::span<const Op* const> layers) {
  Rewriter rewriter(graph);
  for (const Op* layer : layers) {
    Op* op = graph.find(layer->result()->name())->producer();
    Value* old = op->own(2);
    Value* input =
        graph.addInput(old->name() + "_input", {ElemType::F32, {channelsOf(*layer)}, {}});
    if (!rewriter.begin("correct-biases", *op)) return;
    rewriter.setOperand(op, 2, input);
    rewriter.eraseDead(old->producer());
  }
}

} // namespace

Result<Biases> correctedBiases(const Graph& graph, const Plan& plan,
                               std::span<const GroupScale> scales, WeightRange weights,
                               const Samples& samples, const RunOptions& options) {
  const Correctable found(graph, plan);
  const std::vector<const Op*>& layers = found.layers;
  Biases biases;
  if (layers.empty()) return biases;
  for (const Op* layer : layers) {
    std::vector<double>& bias = biases[layer->result()->name()] = biasOf(*layer);
    bias.resize(static_cast<size_t>(channelsOf(*layer)), 0);
  }
  auto floats = graph.clone();
  ENFOLD_TRY(std::vector<std::string> names, addMeans(*floats, layers));
  ENFOLD_TRY(ObservedNetwork network, ObservedNetwork::create(*floats, names, options));
  ENFOLD_TRY(const Means wanted, meansOf(network, {}, samples, options, "measuring means"));

  QuantizedGraph quantized = insertQuantization(graph, plan, scales, weights, biases);
  takeBiasesFromInputs(*quantized.graph, layers);
  ENFOLD_TRY(names, addMeans(*quantized.graph, layers));
  ENFOLD_TRY(network, ObservedNetwork::create(*quantized.graph, names, options));
  const size_t deepest = *std::ranges::max_element(found.depths);
  for (size_t depth = 0; depth <= deepest; ++depth) {
    std::vector<Tensor> inputs;
    for (const Op* layer : layers) inputs.push_back(tensorOf(biases[layer->result()->name()]));
    const std::string what = fmt::format("correcting biases {} of {}", depth + 1, deepest + 1);
    ENFOLD_TRY(const Means means, meansOf(network, inputs, samples, options, what));
    for (size_t k = 0; k < layers.size(); ++k) {
      if (found.depths[k] != depth) continue;
      std::vector<double>& bias = biases[layers[k]->result()->name()];
      for (size_t c = 0; c < bias.size(); ++c) bias[c] += wanted[k][c] - means[k][c];
    }
  }
  return biases;
}

} // namespace enfold::quantize
