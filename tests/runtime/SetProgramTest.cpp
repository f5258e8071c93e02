// A context goes from one program to another: its memory grows to what any of them needs.
#include "TestProgram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>

namespace enfold::rt::test {
namespace {

/// out[i] = in[i] + 1, by way of all of the scratch, whose size is given.
void addOne(void* const* buffers, int64_t begin, int64_t end, void* scratch) {
  const auto floats = static_cast<int64_t>(*static_cast<const float*>(buffers[1]));
  auto* own = static_cast<float*>(scratch);
  for (int64_t i = begin; i < end; ++i) {
    std::fill_n(own, floats, static_cast<const float*>(buffers[0])[i]);
    static_cast<float*>(buffers[2])[i] = own[floats - 1] + 1;
  }
}

/// Adds 2 to `size` numbers, over the arena.
void fill(TestProgram& program, int64_t size, int64_t scratchFloats) {
  program.addInput("x", size);
  program.addOutput("y", size);
  program.constants[0] = static_cast<float>(scratchFloats);
  program.arenaBytes = std::max<int64_t>(4 * size, 64);
  program.scratchBytes = 4 * scratchFloats;
  program.addStep(addOne, {input(0), constant(0), arena(0)}, size);
  program.addStep(addOne, {arena(0), constant(0), output(0)}, size, 3);
}

void expectRuns(enfold_context* context, int64_t size) {
  std::vector<float> x(static_cast<size_t>(size)), y(x.size(), -1);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i);
  ASSERT_EQ(run(context, x.data(), y.data()), ENFOLD_OK) << enfold_last_error();
  for (size_t i = 0; i < x.size(); ++i) ASSERT_EQ(y[i], x[i] + 2) << "of " << size;
}

TEST(SetProgram, MemoryGrowsToTheLargest) {
  std::mt19937 random(7);
  for (int round = 0; round < 30; ++round) {
    std::deque<TestProgram> programs;
    std::vector<int64_t> sizes;
    int64_t most = 0;
    for (int i = 0; i < 5; ++i) {
      sizes.push_back(static_cast<int64_t>(random() % 2000));
      fill(programs.emplace_back(), sizes.back(), 1 + static_cast<int64_t>(random() % 500));
    }
    const ContextPointer context =
        makeContext(programs[0], {.threads = 1 + round % 3, .spin_us = 1});
    for (int i = 0; i < 20; ++i) {
      const size_t next = i == 0 ? 0 : random() % programs.size();
      ASSERT_EQ(enfold_set_program(context.get(), &programs[next].get()), ENFOLD_OK);
      EXPECT_EQ(enfold_context_program(context.get()), &programs[next].get());
      EXPECT_GE(enfold_context_bytes(context.get()), most);
      most = enfold_context_bytes(context.get());
      EXPECT_GE(most, programs[next].arenaBytes + programs[next].scratchBytes);
      expectRuns(context.get(), sizes[next]);
      if (i % 7 == 3) {
        ASSERT_EQ(enfold_set_threads(context.get(), 1 + i % 4), ENFOLD_OK);
        most = enfold_context_bytes(context.get());
        expectRuns(context.get(), sizes[next]);
      }
    }
  }
}

TEST(SetProgram, TheLargestFirstIsEnough) {
  TestProgram large, small;
  fill(large, 1000, 400);
  fill(small, 10, 20);
  const ContextPointer context = makeContext(large, {.threads = 2});
  const int64_t bytes = enfold_context_bytes(context.get());
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(enfold_set_program(context.get(), &small.get()), ENFOLD_OK);
    expectRuns(context.get(), 10);
    ASSERT_EQ(enfold_set_threads(context.get(), 1), ENFOLD_OK);
    ASSERT_EQ(enfold_set_threads(context.get(), 2), ENFOLD_OK);
    ASSERT_EQ(enfold_set_program(context.get(), &large.get()), ENFOLD_OK);
    expectRuns(context.get(), 1000);
    EXPECT_EQ(enfold_context_bytes(context.get()), bytes);
  }
}

TEST(SetProgram, AProgramThatCannotRunChangesNothing) {
  constexpr int64_t kHuge = int64_t{1} << 60;
  TestProgram good;
  fill(good, 100, 10);
  const ContextPointer context = makeContext(good, {.threads = 2});
  const auto refuses = [&](enfold_status status, auto&& spoil) {
    TestProgram bad;
    fill(bad, 50, 10);
    enfold_program& program = bad.get();
    spoil(program);
    EXPECT_EQ(enfold_set_program(context.get(), &program), status);
    EXPECT_EQ(enfold_context_program(context.get()), &good.get());
    expectRuns(context.get(), 100);
  };
  refuses(ENFOLD_WRONG_VERSION, [](enfold_program& p) { ++p.version; });
  refuses(ENFOLD_NO_MEMORY, [](enfold_program& p) { p.arena_bytes = kHuge; });
  refuses(ENFOLD_NO_MEMORY, [](enfold_program& p) { p.scratch_bytes = kHuge; });
  EXPECT_EQ(enfold_set_program(context.get(), nullptr), ENFOLD_INVALID_ARGUMENT);
  EXPECT_EQ(enfold_set_program(nullptr, &good.get()), ENFOLD_INVALID_ARGUMENT);
}

TEST(SetProgram, EndsAProfile) {
  TestProgram first, second;
  fill(first, 100, 10);
  fill(second, 50, 10);
  const ContextPointer context = makeContext(first, {.threads = 2});
  ASSERT_EQ(enfold_start_profile(context.get()), ENFOLD_OK);
  expectRuns(context.get(), 100);
  ASSERT_EQ(enfold_set_program(context.get(), &second.get()), ENFOLD_OK);
  expectRuns(context.get(), 50);
  enfold_step_profile profile;
  ASSERT_EQ(enfold_read_profile(context.get(), 0, &profile), ENFOLD_OK);
  EXPECT_EQ(profile.runs, 0);
  ASSERT_EQ(enfold_start_profile(context.get()), ENFOLD_OK);
  expectRuns(context.get(), 50);
  ASSERT_EQ(enfold_read_profile(context.get(), 0, &profile), ENFOLD_OK);
  EXPECT_EQ(profile.runs, 1);
}

} // namespace
} // namespace enfold::rt::test
