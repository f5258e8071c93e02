// Networks run on inputs of changing shapes.
#include "driver/Network.h"

#include "../onnx/ModelBytes.h"
#include "ir/ConstantText.h"
#include "passes/FoldMemory.h"
#include "reference/Reference.h"

#include <enfold/enfold.hpp>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>
#include <unistd.h>

namespace enfold {
namespace {

using namespace onnx::test;

/// Random numbers of a window.
auto weights(const char* name, std::vector<int64_t> dims) {
  std::mt19937 engine(7);
  std::uniform_real_distribution<float> uniform(-0.2f, 0.2f);
  std::vector<float> values(static_cast<size_t>(dims[0] * dims[1] * dims[2] * dims[3]));
  for (float& value : values) value = uniform(engine);
  return floats(name, dims, values);
}

/// conv 3 to 16, relu, conv 16 to 24, global average pool; batch, height and width are open.
std::string convNet() {
  const auto pads = intsAttr("pads", {1, 1, 1, 1});
  return model(
      {.graph = {.inputs = {valueInfo("x", ElemType::F32, {"n", int64_t{3}, "h", "w"})},
                 .outputs = {valueInfo("y", ElemType::F32)},
                 .initializers = {weights("w1", {16, 3, 3, 3}), weights("w2", {24, 16, 3, 3})},
                 .nodes = {{"Conv", {"x", "w1"}, {"a"}, {pads}},
                           {"Relu", {"a"}, {"b"}},
                           {"Conv", {"b", "w2"}, {"c"}, {pads}},
                           {"GlobalAveragePool", {"c"}, {"y"}}}}});
}

/// A convolution that is normalized, twice; height and width are open.
std::string normalizedNet() {
  std::mt19937 engine(11);
  const auto numbers = [&](const char* name, std::vector<int64_t> dims) {
    std::uniform_real_distribution<float> uniform(0.1f, 0.3f);
    int64_t count = 1;
    for (const int64_t size : dims) count *= size;
    std::vector<float> values(static_cast<size_t>(count));
    for (float& value : values) value = uniform(engine);
    return floats(name, dims, values);
  };
  const auto pads = intsAttr("pads", {1, 1, 1, 1});
  return model(
      {.graph = {.inputs = {valueInfo("x", ElemType::F32, {int64_t{1}, int64_t{3}, "h", "w"})},
                 .outputs = {valueInfo("y", ElemType::F32)},
                 .initializers = {numbers("w1", {16, 3, 3, 3}), numbers("b1", {16}),
                                  numbers("w2", {8, 2, 3, 3}), numbers("s", {16}),
                                  numbers("t", {16}), numbers("m", {16}), numbers("v", {16}),
                                  numbers("s2", {8}), numbers("t2", {8}), numbers("m2", {8}),
                                  numbers("v2", {8})},
                 .nodes = {{"Conv", {"x", "w1", "b1"}, {"a"}, {pads}},
                           {"BatchNormalization", {"a", "s", "t", "m", "v"}, {"b"}},
                           {"Conv", {"b", "w2"}, {"c"}, {pads, intAttr("group", 8)}},
                           {"BatchNormalization", {"c", "s2", "t2", "m2", "v2"}, {"y"}}}}});
}

/// Reshapes to what its second input holds.
std::string reshaper() {
  return model({.graph = {.inputs = {valueInfo("x", ElemType::F32, {"n"}),
                                     valueInfo("shape", ElemType::I64, {int64_t{2}})},
                          .outputs = {valueInfo("y", ElemType::F32)},
                          .nodes = {{"Reshape", {"x", "shape"}, {"y"}}}}});
}

class File {
public:
  explicit File(const std::string& bytes)
      : path_(std::filesystem::temp_directory_path() /
              ("enfold-network-" + std::to_string(getpid()) + ".onnx")) {
    std::ofstream(path_, std::ios::binary) << bytes;
  }
  ~File() { std::filesystem::remove(path_); }
  std::string path() const { return path_.string(); }

private:
  std::filesystem::path path_;
};

NamedTensor random(const std::string& name, const Shape& shape, uint64_t seed) {
  Tensor tensor(ElemType::F32, shape);
  fillRandom(tensor, seed, -1, 1);
  return {name, std::move(tensor)};
}

std::unique_ptr<Network> open(const File& file, size_t capacity,
                              Accuracy accuracy = Accuracy::Standard) {
  CompileOptions compile;
  compile.passes.passes.accuracy = accuracy;
  auto opened = Network::open(
      file.path(), {.compile = compile, .session = {.threads = 1}, .capacity = capacity});
  EXPECT_TRUE(opened) << opened.error().str();
  return *std::move(opened);
}

void expectReference(const File& file, const NamedTensor& input,
                     const std::vector<Tensor>& outputs) {
  auto loaded = loadModelFor(file.path(), std::span(&input, 1), {});
  ASSERT_TRUE(loaded) << loaded.error().str();
  const auto expected = reference::run(*loaded->graph, std::span(&input.tensor, 1));
  ASSERT_TRUE(expected);
  ASSERT_EQ(outputs[0].shape(), (*expected)[0].shape());
  for (int64_t i = 0; i < outputs[0].numElements(); ++i)
    ASSERT_NEAR(outputs[0].asDouble(i), (*expected)[0].asDouble(i), 1e-5);
}

int64_t residentBytes() {
  std::ifstream file("/proc/self/statm");
  int64_t total = 0, resident = 0;
  file >> total >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

TEST(Network, AnswerForEveryShape) {
  const File file(convNet());
  const auto network = open(file, 3);
  uint64_t seed = 0;
  for (const Shape& shape :
       {Shape{1, 3, 8, 8}, Shape{2, 3, 8, 8}, Shape{1, 3, 17, 5}, Shape{1, 3, 8, 8}}) {
    const NamedTensor input = random(seed % 2 ? "x" : "", shape, seed + 1);
    ++seed;
    const auto run = network->run(std::span(&input, 1));
    ASSERT_TRUE(run) << run.error().str();
    expectReference(file, input, run->outputs);
  }
  EXPECT_EQ(network->compilations(), 3);
}

TEST(Network, TheCacheHoldsTheFirstFewSizes) {
  const File file(convNet());
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("enfold-network-cache-" + std::to_string(getpid()));
  const CompileCache cache(folder);
  std::vector<Tensor> first;
  for (const bool again : {false, true}) {
    auto opened =
        Network::open(file.path(), {.compile = {}, .session = {.threads = 1}, .cache = cache});
    ASSERT_TRUE(opened) << opened.error().str();
    for (int64_t side = 5; side < 12; ++side) {
      const NamedTensor input = random("x", {1, 3, side, side}, static_cast<uint64_t>(side));
      const auto run = (*opened)->run(std::span(&input, 1));
      ASSERT_TRUE(run) << run.error().str();
      expectReference(file, input, run->outputs);
      if (!again) first.push_back(run->outputs[0]);
      const Tensor& before = first[static_cast<size_t>(side - 5)];
      EXPECT_TRUE(side >= 9 || run->outputs[0] == before) << side;
      EXPECT_EQ((*opened)->kernelCompilations() > 0, side >= 9) << side;
    }
    EXPECT_EQ(cache.entries().size(), 4u);
  }
  std::filesystem::remove_all(folder);
}

TEST(Network, KeepTheLatest) {
  const File file(convNet());
  const auto network = open(file, 2);
  const auto compilationsAfter = [&](int64_t side) {
    const NamedTensor input = random("x", {1, 3, side, side}, 1);
    EXPECT_TRUE(network->run(std::span(&input, 1)));
    return network->compilations();
  };
  EXPECT_EQ(compilationsAfter(8), 1);
  EXPECT_EQ(compilationsAfter(9), 2);
  EXPECT_EQ(compilationsAfter(8), 2);
  EXPECT_EQ(compilationsAfter(10), 3); // 9 goes
  EXPECT_EQ(compilationsAfter(8), 3);
  EXPECT_EQ(compilationsAfter(9), 4);
  EXPECT_EQ(network->size(), 2u);
}

TEST(Network, ShareWeights) {
  const File file(convNet());
  // Other batches may get other Winograd tiles, with weights of their own; strict has none.
  const auto network = open(file, 4, Accuracy::Strict);
  std::vector<int64_t> bytes;
  for (const int64_t batch : {2, 3, 4, 5}) {
    const NamedTensor input = random("x", {batch, 3, 12, 12}, 1);
    ASSERT_TRUE(network->run(std::span(&input, 1)));
    bytes.push_back(network->constantBytes());
  }
  EXPECT_GT(bytes[0], 24 * 16 * 9 * 4);
  EXPECT_LT(bytes[3] - bytes[0], 1024); // what kernels want to know of the sizes
}

TEST(Network, NewSizesNeedFewKernels) {
  const File file(convNet());
  const auto network = open(file, 2);
  const auto runAt = [&](int64_t height, int64_t width) {
    const NamedTensor input = random("x", {1, 3, height, width}, 1);
    const auto run = network->run(std::span(&input, 1));
    ASSERT_TRUE(run) << run.error().str();
    expectReference(file, input, run->outputs);
  };
  runAt(64, 160);
  EXPECT_EQ(network->kernelCompilations(), 0) << "the first size has kernels of its own";
  runAt(96, 128);
  const int64_t kernels = network->kernelCompilations();
  EXPECT_GT(kernels, 0);
  for (const int64_t side : {80, 112}) runAt(side, 224 - side);
  for (const int64_t side : {128, 160, 48, 72, 88}) runAt(side, 240 - side);
  // Of those of eight sizes, a third is shared at the least.
  EXPECT_LE(3 * network->kernelCompilations(), 2 * 8 * kernels);
  EXPECT_EQ(network->compilations(), 9);
}

TEST(Network, WeightsAreFoldedOnce) {
  const File file(normalizedNet());
  const auto network = open(file, 64);
  const FoldMemory& folds = *network->options().compile.passes.passes.folds;
  CompileOptions fixed;
  fixed.pins = network->options().compile.pins;
  for (const int64_t width : {20, 33, 5, 20, 64, 1}) {
    const NamedTensor input = random("x", {1, 3, 9, width}, static_cast<uint64_t>(width));
    const auto run = network->run(std::span(&input, 1));
    ASSERT_TRUE(run) << run.error().str();
    EXPECT_EQ(folds.size(), 2u);
    const auto compiled = compileModel(file.path(), std::span(&input, 1), {}, fixed);
    ASSERT_TRUE(compiled) << compiled.error().str();
    const auto session = Session::create(compiled->executable, {.threads = 1});
    ASSERT_TRUE(session);
    const auto expected = (*session)->run(std::span(&input.tensor, 1));
    ASSERT_TRUE(expected);
    EXPECT_EQ(run->outputs, *expected) << width;
  }
}

/// Which blocks of channels are best for the second convolution depends on the size, where blocks
/// of 8 and of 16 have kernels: those of 8 waste fewer lanes, and only 16 channels in go with
/// Winograd.
std::string narrowNet(int64_t channels) {
  const auto pads = intsAttr("pads", {1, 1, 1, 1});
  return model(
      {.graph = {
           .inputs = {valueInfo("x", ElemType::F32, {int64_t{1}, int64_t{3}, "h", "w"})},
           .outputs = {valueInfo("y", ElemType::F32)},
           .initializers = {weights("w1", {64, 3, 3, 3}), weights("w2", {channels, 64, 3, 3})},
           .nodes = {{"Conv", {"x", "w1"}, {"a"}, {pads}},
                     {"Relu", {"a"}, {"b"}},
                     {"Conv", {"b", "w2"}, {"y"}, {pads}}}}});
}

TEST(Network, BlocksOfChannelsStayWhatTheyWere) {
  for (const int64_t channels : {8, 15, 20, 24}) {
    const File file(narrowNet(channels));
    CompileOptions compile;
    compile.pins = std::make_shared<AlgorithmPins>();
    const auto target = targetOf(compile);
    ASSERT_TRUE(target);
    std::map<std::string, std::string> first;
    for (const int64_t size : {64, 6, 9, 14, 33, 40, 128}) {
      const NamedTensor input = random("x", {1, 3, size, size + 2}, 1);
      auto loaded = loadModelFor(file.path(), std::span(&input, 1), {});
      ASSERT_TRUE(loaded) << loaded.error().str();
      ASSERT_TRUE(optimize(*loaded->graph, compile, *target));
      std::map<std::string, std::string> convolutions;
      for (const auto& op : loaded->graph->ops())
        if (op->kind() == OpKind::Conv)
          convolutions[op->describe()] =
              fmt::format("{} {}", op->result()->type().layout.block, op->string("algorithm"));
      ASSERT_EQ(convolutions.size(), 2u);
      if (first.empty()) first = convolutions;
      EXPECT_EQ(convolutions, first) << channels << " channels, " << size;
    }
  }
}

TEST(Network, ProgramsThatShareCodeKeepNoGraph) {
  const File file(convNet());
  const auto network = open(file, 8);
  for (const int64_t width : {20, 33, 50}) {
    const NamedTensor input = random("x", {1, 3, 9, width}, 1);
    const auto run = network->run(std::span(&input, 1));
    ASSERT_TRUE(run) << run.error().str();
    EXPECT_EQ(run->program->executable().graph() == nullptr, width != 20);
  }
}

TEST(Network, HundredsOfSizesShareKernelsAndConstants) {
  const File file(convNet());
  const auto network = open(file, 8, Accuracy::Strict);
  std::mt19937 engine(11);
  std::uniform_int_distribution<int64_t> side(40, 120);
  int64_t kernels = 0, constants = 0;
  for (int64_t i = 0; i < 200; ++i) {
    const NamedTensor input = random("x", {1, 3, side(engine), side(engine)}, 1);
    const auto run = network->run(std::span(&input, 1));
    ASSERT_TRUE(run) << run.error().str();
    if (i % 20 == 0) expectReference(file, input, run->outputs);
    if (i == 20) {
      kernels = network->kernelCompilations();
      constants = network->constantBytes();
    }
  }
  EXPECT_LE(network->kernelCompilations() - kernels, 2);
  EXPECT_LE(network->constantBytes(), constants + 4096);
  EXPECT_EQ(network->size(), 8u);
}

TEST(Network, SeveralThreadsMeetNewSizesAtOnce) {
  const File file(convNet());
  const auto network = open(file, 3);
  std::vector<std::thread> threads;
  for (int64_t t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int64_t i = 0; i < 6; ++i) {
        const NamedTensor input = random("x", {1, 3, 8 + (t + i) % 5, 20 + i}, 1);
        const auto run = network->run(std::span(&input, 1));
        ASSERT_TRUE(run) << run.error().str();
        expectReference(file, input, run->outputs);
      }
    });
  for (std::thread& thread : threads) thread.join();
}

TEST(Network, ContentsThatDecideShapes) {
  const File file(reshaper());
  const auto network = open(file, 4);
  for (const std::array<int64_t, 2>& shape : {std::array<int64_t, 2>{2, 6}, {4, 3}, {2, 6}}) {
    const std::vector<NamedTensor> inputs = {
        random("x", {12}, 1), {"shape", Tensor::of<int64_t>({2}, std::span<const int64_t>(shape))}};
    const auto run = network->run(inputs);
    ASSERT_TRUE(run) << run.error().str();
    EXPECT_EQ(run->outputs[0].shape(), Shape(shape.begin(), shape.end()));
  }
  EXPECT_EQ(network->compilations(), 2);
}

TEST(Network, RefuseWhatDoesNotFit) {
  const File file(convNet());
  const auto network = open(file, 2);
  const NamedTensor wrongChannels = random("x", {1, 4, 8, 8}, 1);
  EXPECT_FALSE(network->run(std::span(&wrongChannels, 1)));
  const NamedTensor wrongName = random("z", {1, 3, 8, 8}, 1);
  EXPECT_FALSE(network->run(std::span(&wrongName, 1)));
  EXPECT_FALSE(network->run({}));
  const NamedTensor right = random("x", {1, 3, 8, 8}, 1);
  EXPECT_TRUE(network->run(std::span(&right, 1)));
  EXPECT_FALSE(Network::open(file.path(), {.capacity = 0}));
}

TEST(Network, SizesOutsideTheirRangesAreRefused) {
  const File file(convNet());
  Network::Options options = {.session = {.threads = 1}};
  ASSERT_TRUE(addShape(options.load, "x=1..2x3x4..16x8"));
  auto network = Network::open(file.path(), options);
  ASSERT_TRUE(network) << network.error().str();
  const auto run = [&](const Shape& shape) {
    const NamedTensor input = random("x", shape, 1);
    return (*network)->run(std::span(&input, 1));
  };
  EXPECT_TRUE(run({1, 3, 4, 8}));
  EXPECT_TRUE(run({2, 3, 16, 8}));
  const auto refused = run({1, 3, 17, 8});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::Usage);
  EXPECT_EQ(refused.error().str(), "dimension 2 of input 'x' is 17, not within 4..16");
  EXPECT_FALSE(run({1, 3, 8, 9}));
  EXPECT_TRUE(run({1, 3, 5, 8})) << "after a refusal";

  options.load.ranges.clear();
  ASSERT_TRUE(addShape(options.load, "z=1..2"));
  EXPECT_FALSE(Network::open(file.path(), options)) << "there is no such dimension";
}

TEST(Network, ManyProgramsKeepMemoryForFew) {
  const File file(convNet());
  const auto network = open(file, 64);
  std::vector<std::vector<Tensor>> results;
  for (const bool again : {false, true})
    for (int64_t side = 4; side < 24; ++side) {
      const NamedTensor input = random("x", {1, 3, side, side}, 1);
      auto run = network->run(std::span(&input, 1));
      ASSERT_TRUE(run) << run.error().str();
      if (again)
        EXPECT_EQ(run->outputs, results[static_cast<size_t>(side - 4)]);
      else
        results.push_back(run->outputs);
    }
  EXPECT_EQ(network->compilations(), 20);
  EXPECT_EQ(network->size(), 20u);
}

TEST(DynamicContext, RunsThroughThePublicInterface) {
  const File file(convNet());
  auto context = DynamicContext::open(file.path(), {.context = {.threads = 1}, .capacity = 2});
  ASSERT_TRUE(context) << context.error().text();
  for (const int64_t side : {7, 9, 7}) {
    const NamedTensor input = random("x", {2, 3, side, side}, 5);
    const std::span bytes(input.tensor.bytes(), input.tensor.numBytes());
    const DynamicInput given = {"x", ENFOLD_F32, input.tensor.shape(), bytes};
    const auto outputs = context->run(std::span(&given, 1));
    ASSERT_TRUE(outputs) << outputs.error().text();
    EXPECT_EQ((*outputs)[0].name, "y");
    EXPECT_EQ((*outputs)[0].shape, (std::vector<int64_t>{2, 24, 1, 1}));
    Tensor result(ElemType::F32, (*outputs)[0].shape);
    ASSERT_EQ((*outputs)[0].bytes.size(), result.numBytes());
    std::memcpy(result.mutableBytes(), (*outputs)[0].bytes.data(), result.numBytes());
    expectReference(file, input, {result});

    const DynamicInput cut = {"x", ENFOLD_F32, input.tensor.shape(), bytes.first(8)};
    const auto refused = context->run(std::span(&cut, 1));
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().text().find("input 'x'"), std::string::npos);
  }
  EXPECT_EQ(context->compilations(), 2);
  EXPECT_FALSE(DynamicContext::open(file.path(), {.capacity = 0}));
  EXPECT_FALSE(DynamicContext::open(file.path(), {.streams = 0}));
  EXPECT_FALSE(DynamicContext::open(file.path(), {.streams = ENFOLD_MAX_THREADS + 1}));
}

TEST(DynamicContext, RunsFromThreadsAtTheSameTime) {
  const File file(convNet());
  auto context = DynamicContext::open(file.path(), {.streams = 2});
  ASSERT_TRUE(context) << context.error().text();
  const auto runAll = [&](std::vector<std::vector<std::byte>>& answers) {
    for (int64_t side = 6; side < 12; ++side) {
      const NamedTensor input = random("x", {1, 3, side, side}, 5);
      const DynamicInput given = {
          "x", ENFOLD_F32, input.tensor.shape(), {input.tensor.bytes(), input.tensor.numBytes()}};
      auto outputs = context->run(std::span(&given, 1));
      ASSERT_TRUE(outputs) << outputs.error().text();
      answers.push_back(std::move(outputs->front().bytes));
    }
  };
  std::vector<std::vector<std::byte>> expected;
  runAll(expected);
  std::array<std::vector<std::vector<std::byte>>, 3> answers;
  {
    std::vector<std::jthread> threads;
    for (auto& own : answers) threads.emplace_back([&] { runAll(own); });
  }
  for (const auto& own : answers) EXPECT_EQ(own, expected);
  EXPECT_EQ(context->compilations(), 6) << "code for all sizes is kept";
}

// A thousand runs, every second one a compilation, for only one specialization is kept.
TEST(Network, MemoryDoesNotGrow) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers keep freed memory";
#endif
  const File file(convNet());
  const auto network = open(file, 1);
  int64_t settled = 0;
  for (int64_t i = 0; i < 1000; ++i) {
    const int64_t turn = i / 2;
    const NamedTensor input = random("x", {1 + turn % 2, 3, 6 + turn % 3, 6 + turn % 5}, 1);
    ASSERT_TRUE(network->run(std::span(&input, 1)));
    if (i == 300) settled = residentBytes();
  }
  EXPECT_EQ(network->compilations(), 500);
  EXPECT_LT(residentBytes() - settled, int64_t{16} << 20);
}

// Hundreds of sizes, the largest first, of which a few programs are kept.
TEST(Network, MemoryDoesNotGrowWithTheNumberOfSizes) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers keep freed memory";
#endif
  const File file(convNet());
  const auto network = open(file, 8);
  std::mt19937 engine(13);
  std::uniform_int_distribution<int64_t> side(40, 160);
  int64_t settled = 0;
  for (int64_t i = 0; i < 500; ++i) {
    const Shape shape = i == 0 ? Shape{1, 3, 160, 160} : Shape{1, 3, side(engine), side(engine)};
    const NamedTensor input = random("x", shape, 1);
    ASSERT_TRUE(network->run(std::span(&input, 1)));
    if (i == 100) settled = residentBytes();
  }
  EXPECT_GT(network->compilations(), 400);
  EXPECT_LT(residentBytes() - settled, int64_t{16} << 20);
}

} // namespace
} // namespace enfold
