// lstm, gru and rnn against the reference.
#include "Differential.h"
#include "driver/Compiler.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

namespace enfold {
namespace {

/// A recurrent op of random form: operands, attributes and sizes.
struct Recurrent {
  OpKind kind;
  ElemType elem = ElemType::F32;
  int64_t time, batch, inputs, hidden, directions;
  AttrMap attrs;
  bool hasBias, hasLengths, hasState, hasPeepholes;
  bool constantWeights = true, constantLengths = false;
  size_t numResults, result;

  int64_t gates() const { return kind == OpKind::LSTM ? 4 : kind == OpKind::GRU ? 3 : 1; }
  Value* build(GraphBuilder& g) const;
};

Value* Recurrent::build(GraphBuilder& g) const {
  const bool batchFirst = attrs.contains("layout");
  const int64_t rows = gates() * hidden;
  const double bound = 1 / std::sqrt(double(hidden + inputs));
  const auto weights = [&](std::string name, Shape shape, double size) -> Value* {
    if (!constantWeights) return g.input(std::move(name), {elem, std::move(shape), {}});
    Value* w = g.uniform(name, std::move(shape), -size, size);
    return elem == ElemType::F32 ? w : g.op(OpKind::Cast, name + "_cast", {w}, {{"to", elem}});
  };
  const Shape state =
      batchFirst ? Shape{batch, directions, hidden} : Shape{directions, batch, hidden};
  std::vector<Value*> operands = {
      g.input("x",
              {elem, batchFirst ? Shape{batch, time, inputs} : Shape{time, batch, inputs}, {}}),
      weights("w", {directions, rows, inputs}, 3 * bound),
      weights("r", {directions, rows, hidden}, 3 * bound),
      hasBias ? weights("b", {directions, 2 * rows}, 1) : nullptr,
      nullptr,
      hasState ? g.input("h0", {elem, state, {}}) : nullptr};
  if (hasLengths && constantLengths) {
    Tensor lengths(ElemType::I32, {batch});
    for (int64_t b = 0; b < batch; ++b)
      lengths.setDouble(b, static_cast<double>((b * 3 + 1) % (time + 1)));
    operands[4] = g.constant("lengths", std::move(lengths));
  } else if (hasLengths) {
    operands[4] = indices(g, ElemType::I32, {batch}, 0, time);
  }
  if (kind == OpKind::LSTM) {
    operands.push_back(hasState ? g.input("c0", {elem, state, {}}) : nullptr);
    operands.push_back(hasPeepholes ? weights("p", {directions, 3 * hidden}, 1) : nullptr);
  }
  while (!operands.back()) operands.pop_back();
  return g.ops(kind, "recurrent", operands, attrs, numResults)[result];
}

std::vector<std::string> randomActivations(Sizes& sizes, size_t count) {
  std::vector<std::string> names;
  for (size_t i = 0; i < count; ++i)
    names.push_back(sizes.oneOf<std::string>({"Sigmoid", "Tanh", "tanh", "Relu", "HardSigmoid",
                                              "LeakyRelu", "Softsign", "Softplus", "Elu",
                                              "ThresholdedRelu", "Affine", "ScaledTanh"}));
  return names;
}

Recurrent randomRecurrent(Sizes& sizes) {
  Recurrent r{};
  r.kind = sizes.oneOf({OpKind::LSTM, OpKind::GRU, OpKind::RNN});
  r.time = sizes.between(1, 6);
  r.batch = sizes.between(1, 5);
  r.inputs = sizes.between(1, 9);
  r.hidden = sizes.oneOf<int64_t>({1, 2, 3, 7, 8, 9, 16, 17, 24, 33});
  const auto direction = sizes.oneOf<std::string>({"forward", "reverse", "bidirectional"});
  r.directions = direction == "bidirectional" ? 2 : 1;
  r.attrs.emplace("direction", direction);
  const auto often = [&] { return sizes.between(0, 1) == 1; };
  if (often()) r.attrs.emplace("layout", int64_t{1});
  if (often()) r.attrs.emplace("hidden_size", r.hidden);
  if (sizes.between(0, 3) == 0) r.attrs.emplace("clip", 0.6f);
  if (r.kind == OpKind::GRU && often()) r.attrs.emplace("linear_before_reset", int64_t{1});
  if (r.kind == OpKind::LSTM && sizes.between(0, 3) == 0)
    r.attrs.emplace("input_forget", int64_t{1});
  if (sizes.between(0, 2) == 0) {
    const size_t each = r.kind == OpKind::LSTM ? 3 : r.kind == OpKind::GRU ? 2 : 1;
    r.attrs.emplace("activations",
                    randomActivations(sizes, each * static_cast<size_t>(r.directions)));
    if (often()) r.attrs.emplace("activation_alpha", std::vector<float>{0.3f, 0.7f});
    if (often()) r.attrs.emplace("activation_beta", std::vector<float>{0.4f});
  }
  r.hasBias = often();
  r.hasLengths = often();
  r.constantLengths = often();
  r.hasState = often();
  r.hasPeepholes = often();
  r.constantWeights = sizes.between(0, 3) > 0;
  r.numResults = static_cast<size_t>(sizes.between(1, r.kind == OpKind::LSTM ? 3 : 2));
  r.result = static_cast<size_t>(sizes.between(0, static_cast<int64_t>(r.numResults) - 1));
  return r;
}

TEST(Recurrence, RandomForms) {
  Sizes sizes(71);
  for (uint64_t round = 0; round < rounds<uint64_t>(80); ++round) {
    const Recurrent r = randomRecurrent(sizes);
    SCOPED_TRACE(round);
    expectCompiledAgrees([&](GraphBuilder& g) { return r.build(g); },
                         {.tolerance = {1e-4, 1e-5}, .low = -1, .high = 1, .seed = round});
  }
}

TEST(Recurrence, ElementTypes) {
  Sizes sizes(72);
  for (const ElemType elem : {ElemType::F64, ElemType::F16, ElemType::BF16})
    for (uint64_t round = 0; round < 8; ++round) {
      Recurrent r = randomRecurrent(sizes);
      r.elem = elem;
      r.attrs.erase("activations"); // without bounds numbers leave the range of the halves
      r.constantWeights = false;
      SCOPED_TRACE(fmt::format("{} {}", name(elem), round));
      expectCompiledAgrees([&](GraphBuilder& g) { return r.build(g); },
                           {.tolerance = toleranceOf(elem), .low = -1, .high = 1, .seed = round});
    }
}

/// Steps that threads share, and those that one thread does: the results are the same function.
TEST(Recurrence, LargeStepsAreShared) {
  Sizes sizes(73);
  for (const OpKind kind : {OpKind::LSTM, OpKind::GRU, OpKind::RNN})
    for (const int64_t batch : {1, 3, 7})
      for (const bool bidirectional : {false, true}) {
        Recurrent r = randomRecurrent(sizes);
        r.kind = kind;
        r.attrs = {{"direction", std::string(bidirectional ? "bidirectional" : "forward")}};
        if (batch == 3) r.attrs.emplace("layout", int64_t{1});
        r.directions = bidirectional ? 2 : 1;
        r.time = 4;
        r.constantWeights = true; // small ones, which let no error grow
        r.batch = batch;
        r.hidden = kind == OpKind::RNN ? 519 : kind == OpKind::GRU ? 331 : 261;
        r.numResults = 2;
        r.result = static_cast<size_t>(batch % 2);
        SCOPED_TRACE(fmt::format("{} {} {}", name(kind), batch, bidirectional));
        const auto algorithms =
            expectCompiledAgrees([&](GraphBuilder& g) { return r.build(g); },
                                 {.tolerance = {1e-4, 1e-5}, .low = -1, .high = 1});
        EXPECT_TRUE(uses(algorithms, "recurrence"));
      }
}

TEST(Recurrence, SmallOnesGoThroughAllStepsInOneCall) {
  Sizes sizes(74);
  Recurrent r = randomRecurrent(sizes);
  r.kind = OpKind::LSTM;
  r.attrs = {};
  r.directions = 1;
  r.hidden = 32;
  r.time = 6;
  r.numResults = 1;
  r.result = 0;
  const auto algorithms = expectCompiledAgrees([&](GraphBuilder& g) { return r.build(g); },
                                               {.tolerance = {1e-4, 1e-5}, .low = -1, .high = 1});
  EXPECT_TRUE(uses(algorithms, "recurrence_whole"));
}

/// What is behind the end of a sequence is not read, whatever it is.
TEST(Recurrence, OddNumbers) {
  Sizes sizes(75);
  for (uint64_t round = 0; round < rounds<uint64_t>(12); ++round) {
    Recurrent r = randomRecurrent(sizes);
    r.attrs.erase("activations");
    r.hasLengths = false;
    SCOPED_TRACE(round);
    expectCompiledAgrees(
        [&](GraphBuilder& g) { return r.build(g); },
        {.tolerance = {1e-4, 1e-5}, .low = -1, .high = 1, .odd = oddNumbers(), .seed = round});
  }
}

Result<std::vector<Tensor>> runWithLengths(std::initializer_list<int32_t> lengths) {
  GraphBuilder g("lengths");
  Value* x = g.input("x", f32({3, 2, 2}));
  Value* given = g.input("lengths", {ElemType::I32, {2}, {}});
  Value* y =
      g.op(OpKind::RNN, "rnn",
           {x, g.uniform("w", {1, 4, 2}, -1, 1), g.uniform("r", {1, 4, 4}, -1, 1), nullptr, given});
  ENFOLD_TRY(auto graph, g.finish(y, "y"));
  ENFOLD_TRY(const Compilation compiled, compile(std::move(graph)));
  ENFOLD_TRY(const auto session, Session::create(compiled.executable, {}));
  const std::vector<Tensor> inputs = {Tensor(ElemType::F32, {3, 2, 2}),
                                      Tensor::of<int32_t>({2}, lengths)};
  return session->run(inputs);
}

TEST(Recurrence, LengthsOutOfRangeEndTheRun) {
  EXPECT_TRUE(runWithLengths({0, 3}));
  for (const int32_t wrong : {-1, 4, INT32_MAX, INT32_MIN}) {
    const auto result = runWithLengths({3, wrong});
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, ErrorKind::Invalid);
    EXPECT_NE(result.error().str().find("'lengths' has an index out of range"), std::string::npos)
        << result.error().str();
  }
}

} // namespace
} // namespace enfold
