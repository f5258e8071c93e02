// Networks whose sizes or whose way data decide.
#include "../onnx/ModelBytes.h"
#include "driver/Network.h"
#include "ir/ConstantText.h"

#include <enfold/enfold.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>

namespace enfold {
namespace {

using namespace onnx::test;

Message weights(const char* name, std::vector<int64_t> dims, uint64_t seed) {
  std::mt19937_64 engine(seed);
  std::uniform_real_distribution<float> uniform(-0.3f, 0.3f);
  int64_t count = 1;
  for (const int64_t size : dims) count *= size;
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = uniform(engine);
  return floats(name, dims, values);
}

/// The places and values of a feature map over a threshold.
std::string finder() {
  return model(
      {.graph = {
           .inputs = {valueInfo("x", ElemType::F32, {int64_t{1}, int64_t{3}, "h", "w"})},
           .outputs = {valueInfo("places", ElemType::I64), valueInfo("values", ElemType::F32)},
           .initializers = {weights("w", {8, 3, 3, 3}, 1), floats("limit", {}, {0.5f})},
           .nodes = {{"Conv", {"x", "w"}, {"y"}, {intsAttr("pads", {1, 1, 1, 1})}},
                     {"Greater", {"y", "limit"}, {"hit"}},
                     {"NonZero", {"hit"}, {"places"}},
                     {"Transpose", {"places"}, {"rows"}, {intsAttr("perm", {1, 0})}},
                     {"GatherND", {"y", "rows"}, {"found"}},
                     {"Relu", {"found"}, {"values"}}}}});
}

/// Adds `step` to x for as long as the sum is less than a limit.
std::string counter() {
  const Message body =
      graph({.inputs = {valueInfo("i", ElemType::I64, {}), valueInfo("c", ElemType::Bool, {}),
                        valueInfo("s", ElemType::F32, {})},
             .outputs = {valueInfo("d", ElemType::Bool, {}), valueInfo("t", ElemType::F32, {}),
                         valueInfo("row", ElemType::F32, {})},
             .nodes = {{"Add", {"s", "step"}, {"t"}},
                       {"Less", {"t", "limit"}, {"d"}},
                       {"Mul", {"t", "t"}, {"row"}}}});
  return model(
      {.graph = {
           .inputs = {valueInfo("x", ElemType::F32, {}), valueInfo("step", ElemType::F32, {})},
           .outputs = {valueInfo("last", ElemType::F32), valueInfo("rows", ElemType::F32)},
           .initializers = {floats("limit", {}, {100.0f})},
           .nodes = {{"Less", {"x", "limit"}, {"going"}},
                     {"Loop",
                      {"", "going", "x"},
                      {"last", "rows"},
                      {graphAttr("body", body)},
                      "count"}}}});
}

std::unique_ptr<Network> open(std::string bytes, LoadOptions load = {}) {
  auto opened = Network::open(ModelSource::inMemory(std::move(bytes)),
                              {.load = std::move(load), .compile = {}, .session = {.threads = 1}});
  EXPECT_TRUE(opened) << opened.error().str();
  return *std::move(opened);
}

Tensor random(const Shape& shape, uint64_t seed) {
  Tensor tensor(ElemType::F32, shape);
  fillRandom(tensor, seed, -1, 1);
  return tensor;
}

Tensor scalar(float value) { return Tensor::scalar(value); }

TEST(Stage, NonZeroBehindAConvolution) {
  const auto network = open(finder());
  uint64_t seed = 0;
  for (const Shape& shape : {Shape{1, 3, 6, 6}, Shape{1, 3, 9, 5}, Shape{1, 3, 6, 6}}) {
    const NamedTensor x{"x", random(shape, ++seed)};
    const auto run = network->run(std::span(&x, 1));
    ASSERT_TRUE(run) << run.error().str();
    EXPECT_TRUE(run->program->isStaged());
    EXPECT_EQ(run->names, (std::vector<std::string>{"places", "values"}));
    const Tensor &places = run->outputs[0], &values = run->outputs[1];
    ASSERT_EQ(places.rank(), 2);
    EXPECT_EQ(places.shape()[0], 4);
    ASSERT_EQ(values.shape(), Shape{places.shape()[1]});
    EXPECT_GT(values.numElements(), 0);
    for (int64_t i = 0; i < values.numElements(); ++i) EXPECT_GT(values.asDouble(i), 0.5);
  }
}

/// An input or output that is a sequence, an optional tensor, or both.
Message collection(std::string_view name, bool isSequence, bool isOptional) {
  constexpr int kTensor = 1, kSequence = 4, kOptional = 9;
  Message type;
  type.message(kTensor, Message().number(1, static_cast<int64_t>(ElemType::F32)));
  for (const auto& [kind, wanted] : {std::pair(kSequence, isSequence), {kOptional, isOptional}}) {
    if (!wanted) continue;
    const Message inner = type;
    type = Message();
    type.message(kind, Message().message(1, inner));
  }
  Message info;
  info.text(1, name).message(2, type);
  return info;
}

/// `r` is `q` with x behind it, `sum` is what a convolution makes of all of them joined, `there`
/// tells whether `o` is, `same` is `o`.
std::string collector() {
  return model(
      {.graph = {.inputs = {collection("q", true, false), valueInfo("x", ElemType::F32),
                            collection("o", true, true)},
                 .outputs = {collection("r", true, false), valueInfo("sum", ElemType::F32),
                             valueInfo("there", ElemType::Bool), collection("same", true, true)},
                 .initializers = {weights("w", {4, 3, 3, 3}, 1)},
                 .nodes = {{"SequenceInsert", {"q", "x"}, {"r"}},
                           {"ConcatFromSequence", {"r"}, {"all"}, {intAttr("axis", 0)}},
                           {"Conv", {"all", "w"}, {"sum"}},
                           {"OptionalHasElement", {"o"}, {"there"}},
                           {"Identity", {"o"}, {"same"}}}}});
}

TEST(Stage, SequencesAndOptionalValuesGoInAndOut) {
  const auto network = open(collector());
  ASSERT_EQ(network->signature().inputs[0].type.kind, onnx::DeclaredType::Kind::Sequence);
  ASSERT_EQ(network->signature().inputs[2].type.kind, onnx::DeclaredType::Kind::OptionalSequence);
  for (const int count : {0, 1, 3, 1}) {
    std::vector<NamedTensor> inputs = {{"x", random({1, 3, 6, 6}, 7)}};
    for (int i = 0; i < count; ++i)
      inputs.push_back({"q", random({i + 1, 3, 6, 6}, static_cast<uint64_t>(i))});
    for (int i = 0; i < count; ++i) inputs.push_back({"o", random({i}, 3)});
    const auto run = network->run(inputs);
    ASSERT_TRUE(run) << run.error().str();
    EXPECT_EQ(std::ranges::count(run->names, "r"), count + 1);
    EXPECT_EQ(std::ranges::count(run->names, "same"), count);
    int64_t rows = 1;
    for (int i = 0; i < count; ++i) {
      EXPECT_EQ(run->outputs[static_cast<size_t>(i)], inputs[static_cast<size_t>(i) + 1].tensor);
      rows += i + 1;
    }
    EXPECT_EQ(run->outputs[static_cast<size_t>(count)], inputs[0].tensor);
    EXPECT_EQ(run->outputs[static_cast<size_t>(count) + 1].shape(), (Shape{rows, 4, 4, 4}));
    EXPECT_EQ(run->outputs[static_cast<size_t>(count) + 2].asInt(0), count > 0);
  }
}

TEST(Stage, WrongSequencesAreRefused) {
  const auto network = open(collector());
  const NamedTensor x{"x", random({1, 3, 6, 6}, 7)};
  const NamedTensor wrongType[] = {x, {"q", Tensor(ElemType::I64, {1})}};
  const auto refused = network->run(wrongType);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().str().find("input 'q' must be f32"), std::string::npos)
      << refused.error().str();
  const NamedTensor twice[] = {x, x};
  EXPECT_FALSE(network->run(twice));
  EXPECT_FALSE(network->run({}));
  const NamedTensor wrongShape[] = {x, {"q", random({1, 5, 6, 6}, 1)}};
  EXPECT_FALSE(network->run(wrongShape));
  EXPECT_TRUE(network->run(std::span(&x, 1)));
}

TEST(Stage, NothingFound) {
  const auto network = open(finder());
  const NamedTensor x{"x", Tensor(ElemType::F32, {1, 3, 4, 4})};
  const auto run = network->run(std::span(&x, 1));
  ASSERT_TRUE(run) << run.error().str();
  EXPECT_EQ(run->outputs[0].shape(), (Shape{4, 0}));
  EXPECT_EQ(run->outputs[1].shape(), Shape{0});
}

TEST(Stage, DataEndALoop) {
  const auto network = open(counter());
  for (const auto& [x, step, trips] :
       {std::tuple{0.0f, 30.0f, 4}, {99.0f, 1.0f, 1}, {200.0f, 1.0f, 0}}) {
    const NamedTensor inputs[] = {{"x", scalar(x)}, {"step", scalar(step)}};
    const auto run = network->run(inputs);
    ASSERT_TRUE(run) << run.error().str();
    EXPECT_FLOAT_EQ(run->outputs[0].asDouble(0), x + step * static_cast<float>(trips));
    EXPECT_EQ(run->outputs[1].shape(), Shape{trips});
  }
}

/// Twice each row of a matrix of open size, by a loop, behind the matrix, by a sequence.
TEST(Stage, LoopsAndSequencesOverOpenSizes) {
  const Message body = graph(
      {.inputs = {valueInfo("i", ElemType::I64, {}), valueInfo("c", ElemType::Bool, {})},
       .outputs = {valueInfo("d", ElemType::Bool, {}), valueInfo("t", ElemType::F32, {"w"})},
       .nodes = {
           {"Identity", {"c"}, {"d"}}, {"Gather", {"x", "i"}, {"r"}}, {"Add", {"r", "r"}, {"t"}}}});
  const auto network = open(
      model({.graph = {.inputs = {valueInfo("x", ElemType::F32, {"n", "w"})},
                       .outputs = {valueInfo("y", ElemType::F32)},
                       .initializers = {ints("zero", {0})},
                       .nodes = {{"Shape", {"x"}, {"shape"}},
                                 {"Gather", {"shape", "zero"}, {"n"}},
                                 {"Loop", {"n", ""}, {"rows"}, {graphAttr("body", body)}},
                                 {"SequenceConstruct", {"x", "rows"}, {"both"}},
                                 {"ConcatFromSequence", {"both"}, {"y"}, {intAttr("axis", 0)}}}}}));
  for (const Shape& shape : {Shape{3, 5}, Shape{1, 2}, Shape{3, 5}}) {
    const NamedTensor x{"x", random(shape, 5)};
    const auto run = network->run(std::span(&x, 1));
    ASSERT_TRUE(run) << run.error().str();
    const Tensor& y = run->outputs[0];
    ASSERT_EQ(y.shape(), (Shape{2 * shape[0], shape[1]}));
    const int64_t count = x.tensor.numElements();
    for (int64_t i = 0; i < 2 * count; ++i)
      EXPECT_FLOAT_EQ(y.asDouble(i), (i < count ? 1 : 2) * x.tensor.asDouble(i % count));
  }
}

TEST(Stage, AnIndexThatDataMakeInvalid) {
  const auto network =
      open(model({.graph = {.inputs = {valueInfo("x", ElemType::F32, {int64_t{8}}),
                                       valueInfo("i", ElemType::F32, {int64_t{8}})},
                            .outputs = {valueInfo("y", ElemType::F32)},
                            .nodes = {{"NonZero", {"i"}, {"places"}},
                                      {"Squeeze", {"places"}, {"list"}, {}, "list"},
                                      {"Add", {"list", "list"}, {"twice"}},
                                      {"Gather", {"x", "twice"}, {"y"}, {}, "pick"}}}}));
  Tensor first(ElemType::F32, {8}), last(ElemType::F32, {8});
  first.setDouble(1, 1);
  last.setDouble(7, 1);
  const NamedTensor wrong[] = {{"x", random({8}, 1)}, {"i", last}};
  const auto failed = network->run(wrong);
  ASSERT_FALSE(failed);
  EXPECT_NE(failed.error().str().find("pick"), std::string::npos) << failed.error().str();
  const NamedTensor right[] = {{"x", random({8}, 1)}, {"i", first}};
  const auto run = network->run(right);
  ASSERT_TRUE(run) << run.error().str();
  EXPECT_EQ(run->outputs[0].asDouble(0), right[0].tensor.asDouble(2));
}

TEST(Stage, ManyThreadsRunOneNetwork) {
  const auto network = open(finder());
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (uint64_t i = 0; i < 10; ++i) {
        const NamedTensor x{"x", random({1, 3, 5 + static_cast<int64_t>(i % 2), 5}, t * 100 + i)};
        const auto run = network->run(std::span(&x, 1));
        if (!run || run->outputs[0].shape()[1] != run->outputs[1].shape()[0]) ++wrong;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Stage, OutputsDoNotLieInTheMemoryOfInputs) {
  // The branch gives its operand back, as it is.
  const auto branch = [](const char* from) {
    return graph(
        {.outputs = {valueInfo("r", ElemType::F32)}, .nodes = {{"Identity", {from}, {"r"}}}});
  };
  const auto network =
      open(model({.graph = {.inputs = {valueInfo("x", ElemType::F32, {int64_t{2}}),
                                       valueInfo("z", ElemType::F32, {int64_t{3}}),
                                       valueInfo("c", ElemType::F32, {})},
                            .outputs = {valueInfo("y", ElemType::F32)},
                            .initializers = {floats("zero", {}, {0})},
                            .nodes = {{"Greater", {"c", "zero"}, {"yes"}},
                                      {"If",
                                       {"yes"},
                                       {"y"},
                                       {graphAttr("then_branch", branch("x")),
                                        graphAttr("else_branch", branch("z"))}}}}}));
  const NamedTensor inputs[] = {{"x", random({2}, 1)}, {"z", random({3}, 2)}, {"c", scalar(1)}};
  const auto run = network->run(inputs);
  ASSERT_TRUE(run) << run.error().str();
  EXPECT_EQ(run->outputs[0], inputs[0].tensor);
  EXPECT_NE(run->outputs[0].bytes(), inputs[0].tensor.bytes());
}

TEST(Stage, WhatCannotBeCompiledToAFileSaysWhy) {
  auto loaded =
      loadModel(ModelSource::inMemory(finder()), {.shapes = {{"x", {1, 3, 8, 8}}}, .samples = {}});
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().kind, ErrorKind::DataDependent);
  EXPECT_NE(loaded.error().str().find("NonZero"), std::string::npos) << loaded.error().str();
}

} // namespace
} // namespace enfold
