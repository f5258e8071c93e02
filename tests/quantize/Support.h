// What tests of quantization share: graphs from text, and samples of them.
#pragma once

#include "ir/ConstantText.h"
#include "quantize/Runs.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace enfold::quantize::test {

inline std::unique_ptr<Graph> graphOf(std::string_view text) {
  auto graph = parseGraph(text);
  EXPECT_TRUE(graph) << graph.error().str();
  return graph ? *std::move(graph) : nullptr;
}

/// Numbers in [low, high) for every input.
inline Samples samplesOf(const Graph& graph, size_t count, double low, double high) {
  return {count, [&graph, low, high](size_t i) -> Result<std::vector<Tensor>> {
            std::vector<Tensor> tensors;
            for (const auto& input : graph.inputs()) {
              Tensor tensor(input->elem(), input->shape());
              fillRandom(tensor, 100 * i + tensors.size() + 1, low, high);
              tensors.push_back(std::move(tensor));
            }
            return tensors;
          }};
}

inline size_t countOf(const Graph& graph, OpKind kind) {
  return static_cast<size_t>(
      std::ranges::count_if(graph.ops(), [&](const auto& op) { return op->kind() == kind; }));
}

} // namespace enfold::quantize::test
