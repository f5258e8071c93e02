// Results of hand-built programs: every iteration runs exactly once and at its place, on any number
// of threads, any range and any grain; buffers lie where the program says.
#include "TestProgram.h"

#include <enfold/enfold.h>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <random>
#include <tuple>
#include <vector>

namespace enfold::rt::test {
namespace {

/// out[i] = max(0, weight * in[i])
void scaleRelu(void* const* buffers, int64_t begin, int64_t end, void*) {
  const auto* in = static_cast<const float*>(buffers[0]);
  const auto* weight = static_cast<const float*>(buffers[1]);
  auto* out = static_cast<float*>(buffers[2]);
  for (int64_t i = begin; i < end; ++i) out[i] = std::max(0.0F, *weight * in[i]);
}

/// out[i] += a[i] + b[i]: runs wrongly if an iteration is repeated or left out.
void accumulateSum(void* const* buffers, int64_t begin, int64_t end, void*) {
  const auto* a = static_cast<const float*>(buffers[0]);
  const auto* b = static_cast<const float*>(buffers[1]);
  auto* out = static_cast<float*>(buffers[2]);
  for (int64_t i = begin; i < end; ++i) out[i] += a[i] + b[i];
}

/// out[i] = where the call that ran i began, in[i] = where it ended.
void recordCall(void* const* buffers, int64_t begin, int64_t end, void*) {
  for (int64_t i = begin; i < end; ++i) {
    static_cast<float*>(buffers[0])[i] = static_cast<float>(begin);
    static_cast<float*>(buffers[1])[i] = static_cast<float>(end);
  }
}

std::vector<float> randomFloats(int64_t size, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> distribution(-1, 1);
  std::vector<float> values(static_cast<size_t>(size));
  for (float& value : values) value = distribution(generator);
  return values;
}

class RunSweep : public testing::TestWithParam<std::tuple<int, int64_t, int64_t>> {};

TEST_P(RunSweep, EachIterationOnce) {
  const auto [threads, size, grain] = GetParam();
  TestProgram program;
  program.addInput("x", size);
  program.addOutput("y", size);
  program.constants[3] = 1.5F;
  program.arenaBytes = 64 + 4 * size;
  program.addStep(scaleRelu, {input(0), constant(12), arena(64)}, size, grain);
  program.addStep(accumulateSum, {arena(64), input(0), output(0)}, size, grain);
  const ContextPointer context = makeContext(program, {.threads = threads});
  ASSERT_NE(context, nullptr) << enfold_last_error();
  EXPECT_EQ(enfold_get_threads(context.get()), threads);

  for (unsigned seed = 0; seed < 3; ++seed) {
    const std::vector<float> x = randomFloats(size, seed);
    std::vector<float> y(x.size(), 0.0F);
    ASSERT_EQ(run(context.get(), x.data(), y.data()), ENFOLD_OK) << enfold_last_error();
    for (size_t i = 0; i < x.size(); ++i)
      ASSERT_EQ(y[i], std::max(0.0F, 1.5F * x[i]) + x[i]) << "at " << i;
  }
}

TEST_P(RunSweep, CallsHonourTheGrain) {
  const auto [threads, size, grain] = GetParam();
  TestProgram program;
  program.addOutput("begins", size);
  program.addOutput("ends", size);
  program.addStep(recordCall, {output(0), output(1)}, size, grain);
  const ContextPointer context = makeContext(program, {.threads = threads});
  ASSERT_NE(context, nullptr) << enfold_last_error();
  std::vector<float> begins(static_cast<size_t>(size));
  std::vector<float> ends(static_cast<size_t>(size));
  std::array<void*, 2> outputs = {begins.data(), ends.data()};
  ASSERT_EQ(enfold_run(context.get(), nullptr, 0, outputs.data(), 2), ENFOLD_OK);
  for (size_t i = 0; i < begins.size(); ++i) {
    EXPECT_EQ(static_cast<int64_t>(begins[i]) % grain, 0);
    const auto end = static_cast<int64_t>(ends[i]);
    EXPECT_TRUE(end % grain == 0 || end == size) << "call ended at " << end;
  }
}

INSTANTIATE_TEST_SUITE_P(All, RunSweep,
                         testing::Combine(testing::Values(1, 2, 3, 8),
                                          testing::Values(0, 1, 2, 3, 7, 16, 17, 1000, 4099),
                                          testing::Values(1, 3, 16, 5000)));

TEST(Run, SerialStepsStayWithTheCaller) {
  static thread_local int mark = 0;
  TestProgram program;
  program.addInput("x", 1);
  program.addOutput("y", 1);
  program.addStep(
      [](void* const* buffers, int64_t begin, int64_t end, void*) {
        *static_cast<float*>(buffers[1]) = static_cast<float>(mark * (end - begin));
      },
      {input(0), output(0)}, 100, 1, false);
  const ContextPointer context = makeContext(program, {.threads = 3});
  mark = 7;
  const float x = 0;
  float y = 0;
  ASSERT_EQ(run(context.get(), &x, &y), ENFOLD_OK);
  EXPECT_EQ(y, 700.0F);
}

TEST(Run, PointersMayChangeBetweenRuns) {
  TestProgram program;
  program.addInput("a", 4);
  program.addInput("b", 4);
  program.addOutput("y", 8);
  program.addStep(accumulateSum, {input(0), input(1), output(0)}, 4);
  program.addStep(accumulateSum, {input(0, 8), input(1), output(0, 16)}, 2);
  const ContextPointer context = makeContext(program);
  for (int round = 0; round < 4; ++round) {
    const std::vector<float> a = randomFloats(4, static_cast<unsigned>(round));
    const std::vector<float> b = randomFloats(4, 100);
    std::vector<float> y(8);
    std::array<const void*, 2> inputs = {a.data(), b.data()};
    void* outputs[] = {y.data()};
    ASSERT_EQ(enfold_run(context.get(), inputs.data(), 2, outputs, 1), ENFOLD_OK);
    for (size_t i = 0; i < 4; ++i) EXPECT_EQ(y[i], a[i] + b[i]);
    for (size_t i = 0; i < 2; ++i) EXPECT_EQ(y[4 + i], a[2 + i] + b[i]);
  }
}

TEST(Run, ThreadsChangeTheScheduleNotTheAnswer) {
  constexpr int64_t kSize = 1003;
  TestProgram program;
  program.addInput("x", kSize);
  program.addOutput("y", kSize);
  program.constants[0] = 0.3F;
  program.arenaBytes = 4 * kSize;
  program.addStep(scaleRelu, {input(0), constant(0), arena(0)}, kSize);
  program.addStep(accumulateSum, {arena(0), input(0), output(0)}, kSize);
  const ContextPointer context = makeContext(program, {.threads = 1});
  const std::vector<float> x = randomFloats(kSize, 1);
  std::vector<float> first(kSize);
  ASSERT_EQ(run(context.get(), x.data(), first.data()), ENFOLD_OK);
  for (const int threads : {2, 5, 1, 3}) {
    ASSERT_EQ(enfold_set_threads(context.get(), threads), ENFOLD_OK);
    EXPECT_EQ(enfold_get_threads(context.get()), threads);
    std::vector<float> y(kSize);
    ASSERT_EQ(run(context.get(), x.data(), y.data()), ENFOLD_OK);
    EXPECT_EQ(std::memcmp(first.data(), y.data(), sizeof(float) * kSize), 0);
  }
}

/// Each thread fills all of its scratch and looks later whether anybody else wrote there.
TEST(Run, ScratchIsPrivateAndAligned) {
  constexpr int64_t kSize = 64;
  TestProgram program;
  program.addInput("x", 1);
  program.addOutput("y", kSize);
  program.scratchBytes = 1001;
  program.addStep(
      [](void* const* buffers, int64_t begin, int64_t end, void* scratch) {
        static std::atomic<unsigned char> next{1};
        const unsigned char mine = next.fetch_add(1);
        bool good = reinterpret_cast<uintptr_t>(scratch) % 64 == 0;
        auto* bytes = static_cast<unsigned char*>(scratch);
        for (int round = 0; round < 50; ++round) {
          std::memset(bytes, mine, 1001);
          for (int i = 0; i < 1001; ++i)
            good = good && const_cast<volatile unsigned char&>(bytes[i]) == mine;
        }
        for (int64_t i = begin; i < end; ++i) static_cast<float*>(buffers[1])[i] = good ? 1 : 0;
      },
      {input(0), output(0)}, kSize);
  const ContextPointer context = makeContext(program, {.threads = 4});
  EXPECT_GE(enfold_context_bytes(context.get()), 4 * 1001);
  const float x = 0;
  std::vector<float> y(kSize);
  ASSERT_EQ(run(context.get(), &x, y.data()), ENFOLD_OK);
  EXPECT_EQ(y, std::vector<float>(kSize, 1.0F));
}

TEST(Run, LargeArenaIsUsableToItsEnd) {
  constexpr int64_t kBytes = (int64_t{5} << 20) + 4;
  TestProgram program;
  program.addInput("x", 1);
  program.addOutput("y", 1);
  program.arenaBytes = kBytes;
  const auto copy = [](void* const* buffers, int64_t, int64_t, void*) {
    std::memcpy(buffers[1], buffers[0], 4);
  };
  program.addStep(copy, {input(0), arena(kBytes - 4)}, 1);
  program.addStep(copy, {arena(kBytes - 4), output(0)}, 1);
  const ContextPointer context = makeContext(program);
  const float x = 42;
  float y = 0;
  ASSERT_EQ(run(context.get(), &x, &y), ENFOLD_OK);
  EXPECT_EQ(y, 42.0F);
}

TEST(Run, EmptyProgramAndEmptyTensors) {
  TestProgram empty;
  const ContextPointer nothing = makeContext(empty);
  EXPECT_EQ(enfold_run(nothing.get(), nullptr, 0, nullptr, 0), ENFOLD_OK);

  TestProgram program;
  program.addInput("x", 0);
  program.addOutput("y", 0);
  program.addStep(scaleRelu, {input(0), constant(0), output(0)}, 0);
  const ContextPointer context = makeContext(program);
  EXPECT_EQ(run(context.get(), nullptr, nullptr), ENFOLD_OK) << enfold_last_error();
}

TEST(Run, TensorsAreFoundByNameAndIndex) {
  TestProgram builder;
  builder.addInput("left", 1);
  builder.addInput("right", 2);
  builder.addOutput("sum", 3);
  const enfold_program& program = builder.get();
  EXPECT_EQ(enfold_find_input(&program, "right"), 1);
  EXPECT_EQ(enfold_find_input(&program, "sum"), -1);
  EXPECT_EQ(enfold_find_output(&program, "sum"), 0);
  EXPECT_EQ(enfold_find_output(&program, nullptr), -1);
  EXPECT_EQ(enfold_input_info(&program, 1)->dims[0], 2);
  EXPECT_EQ(enfold_input_info(&program, 2), nullptr);
  EXPECT_EQ(enfold_output_info(&program, -1), nullptr);
}

} // namespace
} // namespace enfold::rt::test
