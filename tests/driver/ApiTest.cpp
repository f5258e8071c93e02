// The public C++ interface: only what its header declares is used here, and what it must agree
// with is computed by the driver's own classes.
#include "driver/Compiler.h"
#include "driver/Model.h"

#include <enfold/enfold.h>
#include <enfold/enfold.hpp>

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <thread>

namespace enfold {
namespace {

constexpr const char* kModel = "zoo:cnn_batchnorm";

std::vector<float> someImages(const Module& module) {
  std::vector<float> images(static_cast<size_t>(module.inputs()[0].bytes) / sizeof(float));
  for (size_t i = 0; i < images.size(); ++i) images[i] = static_cast<float>(i * 37 % 101) / 101.0f;
  return images;
}

std::vector<float> run(const Module& module, int threads) {
  auto context = Context::create(module, {.threads = threads});
  EXPECT_TRUE(context) << context.error().text();
  const std::vector<float> images = someImages(module);
  std::vector<float> scores(static_cast<size_t>(module.outputs()[0].bytes) / sizeof(float));
  const auto done = context->run({bytesOf(images)}, {bytesOf(scores)});
  EXPECT_TRUE(done) << done.error().text();
  return scores;
}

TEST(Api, GivesTheBitsOfTheDriverOnAnyNumberOfThreads) {
  const auto module = Module::compile(kModel);
  ASSERT_TRUE(module) << module.error().text();
  ASSERT_EQ(module->inputs().size(), 1u);
  EXPECT_STREQ(module->inputs()[0].name, "input");
  EXPECT_EQ(module->inputs()[0].rank, 4);
  EXPECT_TRUE(module->referenceOps().empty());

  auto loaded = loadModel(kModel);
  ASSERT_TRUE(loaded);
  auto compiled = compile(std::move(loaded->graph));
  ASSERT_TRUE(compiled);
  auto session = Session::create(compiled->executable, {.threads = 1});
  ASSERT_TRUE(session);
  Tensor images(ElemType::F32, compiled->executable->inputs()[0].type.shape);
  const std::vector<float> values = someImages(*module);
  std::memcpy(images.mutableBytes(), values.data(), images.numBytes());
  const auto expected = (*session)->run(std::span(&images, 1));
  ASSERT_TRUE(expected);
  for (const int threads : {1, 2, 3}) {
    const std::vector<float> scores = run(*module, threads);
    ASSERT_EQ(scores.size() * sizeof(float), (*expected)[0].numBytes());
    EXPECT_EQ(std::memcmp(scores.data(), (*expected)[0].bytes(), (*expected)[0].numBytes()), 0)
        << threads;
  }
}

TEST(Api, ContextsShareAModuleAndKeepItAlive) {
  std::vector<Context> contexts;
  std::vector<float> images, expected;
  {
    const auto module = Module::compile(kModel);
    ASSERT_TRUE(module);
    images = someImages(*module);
    expected = run(*module, 1);
    for (int i = 0; i < 2; ++i) contexts.push_back(*Context::create(*module, {.threads = 1}));
  }
  std::vector<float> scores[2] = {std::vector<float>(160), std::vector<float>(160)};
  {
    std::jthread other(
        [&] { EXPECT_TRUE(contexts[1].run({bytesOf(images)}, {bytesOf(scores[1])})); });
    EXPECT_TRUE(contexts[0].run({bytesOf(images)}, {bytesOf(scores[0])}));
  }
  EXPECT_EQ(scores[0], expected);
  EXPECT_EQ(scores[1], expected);
}

TEST(Api, OptionsReachTheCompiler) {
  const auto plain = Module::compile(kModel);
  const auto smaller = Module::compile(kModel, {.shapes = {{"input", {3, 3, 32, 32}}}});
  ASSERT_TRUE(smaller) << smaller.error().text();
  EXPECT_EQ(smaller->inputs()[0].dims[0], 3);
  const auto unfused = Module::compile(kModel, {.disabledPasses = {"fuse-epilogue"}});
  ASSERT_TRUE(unfused);
  EXPECT_GT(unfused->program().num_steps, plain->program().num_steps);
  // Any x86-64 CPU runs the code of the oldest.
  const auto old = Module::compile(kModel, {.cpu = "x86-64"});
  ASSERT_TRUE(old) << old.error().text();
  const std::vector<float> scores = run(*old, 1), expected = run(*plain, 1);
  for (size_t i = 0; i < scores.size(); ++i) EXPECT_NEAR(scores[i], expected[i], 1e-4) << i;
}

TEST(Api, RefusesCodeForAnotherCpu) {
  // XOP was in AMD's CPUs from 2011 to 2015 only; a machine of that time runs the code.
  const auto module = Module::compile(kModel, {.cpu = "bdver4"});
  ASSERT_TRUE(module) << module.error().text();
  const auto context = Context::create(*module);
  if (__builtin_cpu_supports("xop")) GTEST_SKIP() << "this CPU has XOP";
  ASSERT_FALSE(context);
  EXPECT_EQ(context.error().kind, Failure::Kind::Unsupported);
  EXPECT_NE(context.error().text().find("which this CPU lacks"), std::string::npos)
      << context.error().text();
}

TEST(Api, FailuresSayWhatIsWrong) {
  const auto expectFailure = [](const auto& result, Failure::Kind kind, std::string_view part) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, kind);
    EXPECT_NE(result.error().text().find(part), std::string::npos) << result.error().text();
  };
  expectFailure(Module::compile("no_such.onnx"), Failure::Kind::Usage, "no_such.onnx");
  expectFailure(Module::compile(kModel, {.cpu = "z80"}), Failure::Kind::Usage, "'z80'");
  expectFailure(Module::compile(kModel, {.disabledPasses = {"fold-nothing"}}), Failure::Kind::Usage,
                "fold-nothing");
  const auto module = Module::compile(kModel);
  ASSERT_TRUE(module);
  expectFailure(Context::create(*module, {.threads = -1}), Failure::Kind::Unsupported, "-1");
  auto context = Context::create(*module);
  ASSERT_TRUE(context);
  std::vector<float> images = someImages(*module), scores(159);
  expectFailure(context->run({bytesOf(images)}, {bytesOf(scores)}), Failure::Kind::Usage,
                "has 640 bytes, not 636");
  expectFailure(context->run({}, {bytesOf(scores)}), Failure::Kind::Usage, "1 inputs, not 0");
}

TEST(Api, ErrorsOfReferenceFunctionsAreReported) {
  const std::string path = testing::TempDir() + "/gather.eir";
  std::ofstream(path) << "graph @gather(%x: f32[3], %i: i64[1]) {\n"
                         "  %y = gather(%x, %i) {axis=0} : f32[1]\n"
                         "  return %y\n}\n";
  const auto module = Module::compile(path);
  ASSERT_TRUE(module) << module.error().text();
  auto context = Context::create(*module);
  ASSERT_TRUE(context);
  const std::vector<float> x = {1, 2, 3};
  std::vector<float> y(1);
  std::vector<int64_t> index = {2};
  ASSERT_TRUE(context->run({bytesOf(x), bytesOf(index)}, {bytesOf(y)}));
  EXPECT_EQ(y[0], 3);
}

} // namespace
} // namespace enfold
