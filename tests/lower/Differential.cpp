// Running a graph both ways.
#include "Differential.h"

#include "driver/Compiler.h"
#include "ir/ConstantText.h"
#include "ir/Printer.h"
#include "reference/Reference.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

namespace enfold {
namespace {

std::vector<Tensor> randomInputs(const Graph& graph, const DifferentialOptions& options) {
  std::vector<Tensor> inputs;
  uint64_t seed = options.seed;
  for (const auto& input : graph.inputs()) {
    Tensor real(ElemType::F64, input->shape());
    fillRandom(real, seed++, options.low, options.high);
    Tensor tensor(input->elem(), input->shape());
    for (int64_t i = 0; i < tensor.numElements(); ++i)
      tensor.setDouble(i, isFloat(input->elem()) ? real.asDouble(i) : std::round(real.asDouble(i)));
    inputs.push_back(std::move(tensor));
  }
  return inputs;
}

bool sameBits(const Tensor& a, const Tensor& b) {
  return a.numBytes() == b.numBytes() && std::memcmp(a.bytes(), b.bytes(), a.numBytes()) == 0;
}

} // namespace

namespace {

/// The compiled network, run on one thread and twice on two.
void expectAnswer(const std::shared_ptr<const Executable>& executable,
                  std::span<const Tensor> inputs, const Tensor& expected,
                  const Tolerance& tolerance) {
  Tensor first;
  for (const int threads : {1, 2, 2}) {
    auto session = Session::create(executable, {.threads = threads});
    ASSERT_TRUE(session) << session.error().str();
    auto outputs = (*session)->run(inputs);
    ASSERT_TRUE(outputs) << outputs.error().str();
    if (threads > 1) {
      EXPECT_TRUE(sameBits(first, outputs->front())) << "the bits depend on the threads";
      continue;
    }
    first = outputs->front();
    const Comparison comparison = compare(first, expected, tolerance);
    EXPECT_TRUE(comparison.same())
        << comparison.problem << comparison.mismatches << " of " << first.numElements()
        << " differ, by up to " << comparison.maxAbs << " at scale " << comparison.scale;
  }
}

} // namespace

std::vector<std::string> expectCompiledAgrees(const BuildGraph& build,
                                              const DifferentialOptions& options) {
  GraphBuilder g("test");
  Value* result = build(g);
  auto graph = g.finish(result, "y");
  if (!graph) {
    ADD_FAILURE() << graph.error().str();
    return {};
  }
  const std::string text = print(**graph);
  SCOPED_TRACE(text);
  const std::vector<Tensor> inputs = randomInputs(**graph, options);
  auto expected = reference::run(**graph, inputs);
  EXPECT_TRUE(expected) << expected.error().str();
  auto compiled = compile(*std::move(graph));
  EXPECT_TRUE(compiled) << compiled.error().str();
  if (!expected || !compiled) return {};
  if (options.generated) {
    EXPECT_TRUE(compiled->executable->referenceOps().empty())
        << compiled->executable->referenceOps().front();
  }
  expectAnswer(compiled->executable, inputs, expected->front(), options.tolerance);
  std::vector<std::string> algorithms;
  for (const auto& call : compiled->executable->plan().calls) algorithms.push_back(call.algorithm);
  return algorithms;
}

} // namespace enfold
