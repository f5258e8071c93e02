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
#include <limits>

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
      if (options.whole || !isFloat(input->elem())) value = std::round(value);
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

/// One number of an input is replaced by an odd one. Results that do not depend on it, by the
/// reference, agree as if it were not there; with `others`, those that do agree as well.
void expectOddNumberStays(Session& session, const Graph& graph, std::vector<Tensor> inputs,
                          size_t input, double number, const Tensor& ordinary, bool others,
                          const DifferentialOptions& options) {
  Sizes random(options.seed + static_cast<uint64_t>(inputs[input].numElements()));
  const int64_t at = random.between(0, inputs[input].numElements() - 1);
  SCOPED_TRACE(fmt::format("{} in element {} of input {}", number, at, input));
  inputs[input].setDouble(at, number);
  const auto expected = reference::run(graph, inputs);
  const auto outputs = session.run(inputs);
  ASSERT_TRUE(expected && outputs);
  Tensor apart = outputs->front(), held = outputs->front(), expectedHeld = expected->front();
  for (int64_t i = 0; i < apart.numElements(); ++i) {
    const double x = expected->front().asDouble(i), y = ordinary.asDouble(i);
    const bool depends = x != y && !(std::isnan(x) && std::isnan(y));
    if (depends) {
      apart.setDouble(i, y);
    } else {
      held.setDouble(i, 0);
      expectedHeld.setDouble(i, 0);
    }
  }
  {
    SCOPED_TRACE("what does not depend on it");
    expectSame(apart, ordinary, options.tolerance);
  }
  SCOPED_TRACE("what depends on it");
  if (others) expectSame(held, expectedHeld, options.tolerance);
}

/// Each of the odd numbers in each input.
void expectOddNumbersStay(const std::shared_ptr<const Executable>& executable, const Graph& graph,
                          const std::vector<Tensor>& inputs, const Tensor& ordinary,
                          const DifferentialOptions& options) {
  if (options.odd.empty()) return;
  auto session = Session::create(executable, {.threads = 1});
  ASSERT_TRUE(session) << session.error().str();
  std::vector<size_t> floats;
  for (size_t i = 0; i < inputs.size(); ++i)
    if (isFloat(inputs[i].elem()) && inputs[i].numElements() > 0) floats.push_back(i);
  if (floats.empty()) return;
  for (const double number : options.odd)
    for (const size_t input : floats)
      // Sums of the largest numbers overflow in single precision, and not in the reference.
      expectOddNumberStays(**session, graph, inputs, input, number, ordinary,
                           !(std::fabs(number) > 1e35 && std::isfinite(number)), options);
}

} // namespace

std::vector<double> oddNumbers() {
  const double infinity = std::numeric_limits<double>::infinity();
  return {std::numeric_limits<double>::quiet_NaN(), infinity, -infinity, 1e30, -3.4e38};
}

std::vector<std::string> expectCompiledAgrees(const BuildGraph& build,
                                              const DifferentialOptions& options) {
  setenv("ENFOLD_TILES", options.tiles ? "1" : "0", 1);
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
  expectOddNumbersStay(compiled->executable, **graph, inputs, expected->front(), options);
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
