// Writing a plan into a graph, as ONNX's pairs of quantize_linear and dequantize_linear.
#pragma once

#include "quantize/GroupScales.h"

namespace enfold::quantize {

/// Biases of layers, by the names of their results, that replace those of the graph.
using Biases = std::map<std::string, std::vector<double>>;

struct QuantizedGraph {
  std::unique_ptr<Graph> graph;
  /// The tensor that stands for one of the float graph: its codes dequantized, or itself.
  std::string counterpart(const std::string& name) const {
    const auto it = dequantized.find(name);
    return it == dequantized.end() ? name : it->second;
  }
  std::map<std::string, std::string> dequantized;
};

/// The graph with codes: tensors with codes are quantized where they are computed, and all that
/// reads them reads them dequantized; so are the weights and biases of layers.
QuantizedGraph insertQuantization(const Graph& graph, const Plan& plan,
                                  std::span<const GroupScale> scales, WeightRange weights,
                                  const Biases& biases);

} // namespace enfold::quantize
