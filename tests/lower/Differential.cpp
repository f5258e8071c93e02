// Running a graph both ways.
#include "Differential.h"

#include "driver/Compiler.h"
#include "ir/ConstantText.h"
#include "ir/Printer.h"
#include "reference/Reference.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <algorithm>
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
    for (int64_t i = 0; i < tensor.numElements(); ++i) {
      double value = real.asDouble(i);
      if (!isFloat(input->elem())) value = std::round(value);
      tensor.setDouble(i, options.nonzero && value == 0 ? 1 : value);
    }
    inputs.push_back(std::move(tensor));
  }
  return inputs;
}

bool sameBits(const Tensor& a, const Tensor& b) {
  return a.numBytes() == b.numBytes() && std::memcmp(a.bytes(), b.bytes(), a.numBytes()) == 0;
}

void expectSame(const Tensor& answer, const Tensor& expected, const Tolerance& tolerance) {
  const Comparison comparison = compare(answer, expected, tolerance);
  EXPECT_TRUE(comparison.same()) << comparison.problem << comparison.mismatches << " of "
                                 << answer.numElements() << " differ, by up to "
                                 << comparison.maxAbs << " at scale " << comparison.scale;
}

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
    expectSame(first, expected, tolerance);
  }
}

void expectAnswersToFills(const std::shared_ptr<const Executable>& executable, const Graph& graph,
                          const DifferentialOptions& options) {
  if (options.fills.empty()) return;
  auto session = Session::create(executable, {.threads = 1});
  ASSERT_TRUE(session) << session.error().str();
  for (const std::vector<double>& fill : options.fills) {
    SCOPED_TRACE(fmt::format("inputs filled with {}", fmt::join(fill, ", ")));
    std::vector<Tensor> inputs;
    for (const auto& input : graph.inputs()) {
      Tensor tensor(input->elem(), input->shape());
      const double value = fill[inputs.size() % fill.size()];
      for (int64_t i = 0; i < tensor.numElements(); ++i) tensor.setDouble(i, value);
      inputs.push_back(std::move(tensor));
    }
    const auto expected = reference::run(graph, inputs);
    const auto outputs = (*session)->run(inputs);
    ASSERT_TRUE(expected && outputs);
    expectSame(outputs->front(), expected->front(), options.tolerance);
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
  auto compiled = compile((*graph)->clone());
  EXPECT_TRUE(compiled) << compiled.error().str();
  if (!expected || !compiled) return {};
  if (options.generated) {
    EXPECT_TRUE(compiled->executable->referenceOps().empty())
        << compiled->executable->referenceOps().front();
  }
  expectAnswer(compiled->executable, inputs, expected->front(), options.tolerance);
  expectAnswersToFills(compiled->executable, **graph, options);
  std::vector<std::string> algorithms;
  const enfold_program& program = compiled->executable->program();
  for (int32_t i = 0; i < program.num_steps; ++i) algorithms.push_back(program.steps[i].name);
  return algorithms;
}

bool uses(const std::vector<std::string>& algorithms, std::string_view kind) {
  return std::ranges::any_of(algorithms, [&](const std::string& algorithm) {
    return algorithm.starts_with(kind) &&
           (algorithm.size() == kind.size() || algorithm[kind.size()] == ' ');
  });
}

Value* indices(GraphBuilder& g, ElemType elem, Shape shape, int64_t low, int64_t high) {
  Value* x = g.input("i", {elem, std::move(shape), {}});
  const auto number = [&](const char* name, int64_t value) {
    Tensor tensor(elem, {});
    tensor.setDouble(0, static_cast<double>(value));
    return g.constant(name, std::move(tensor));
  };
  Value* range = g.op(OpKind::Mod, "range", {x, number("count", high - low + 1)});
  return g.op(OpKind::Add, "from", {range, number("low", low)});
}

Tolerance toleranceOf(ElemType elem) {
  switch (elem) {
  case ElemType::F64:
    return {.rtol = 1e-12, .atol = 1e-13};
  case ElemType::F32:
    return {.rtol = 1e-5, .atol = 1e-6};
  case ElemType::F16:
    return {.rtol = 1e-3, .atol = 1e-6};
  case ElemType::BF16:
    return {.rtol = 8e-3, .atol = 1e-6};
  default:
    return {.rtol = 0, .atol = 0};
  }
}

} // namespace enfold
