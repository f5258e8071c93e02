// The profile counts runs, and its times fit together.
#include "TestProgram.h"

#include <enfold/enfold.h>

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace enfold::rt::test {
namespace {

void takeAMillisecond(void* const*, int64_t, int64_t, void*) {
  std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

void takeNoTime(void* const*, int64_t, int64_t, void*) {}

TEST(Profile, MeasuresEachStepWhileOn) {
  TestProgram program;
  program.addInput("x", 1);
  program.addOutput("y", 1);
  program.addStep(takeAMillisecond, {}, 8, 1, true).name = "slow";
  program.addStep(takeNoTime, {}, 1, 1, false).origin = "Conv_1";
  const ContextPointer context = makeContext(program, {.threads = 2});
  const float x = 0;
  float y = 0;
  run(context.get(), &x, &y);
  enfold_step_profile slow;
  enfold_step_profile quick;
  ASSERT_EQ(enfold_read_profile(context.get(), 0, &slow), ENFOLD_OK);
  EXPECT_EQ(slow.runs, 0) << "off at first";

  ASSERT_EQ(enfold_start_profile(context.get()), ENFOLD_OK);
  for (int i = 0; i < 3; ++i) run(context.get(), &x, &y);
  ASSERT_EQ(enfold_stop_profile(context.get()), ENFOLD_OK);
  run(context.get(), &x, &y);

  ASSERT_EQ(enfold_read_profile(context.get(), 0, &slow), ENFOLD_OK);
  ASSERT_EQ(enfold_read_profile(context.get(), 1, &quick), ENFOLD_OK);
  EXPECT_STREQ(slow.name, "slow");
  EXPECT_STREQ(quick.origin, "Conv_1");
  EXPECT_EQ(slow.flops, 16.0);
  EXPECT_EQ(slow.bytes, 64.0);
  EXPECT_EQ(slow.runs, 3);
  EXPECT_EQ(quick.runs, 3);
  EXPECT_GE(slow.min_seconds, 0.001);
  EXPECT_GE(slow.total_seconds, 3 * slow.min_seconds);
  EXPECT_GE(slow.busy_seconds, 3 * 0.002) << "two threads, a call each at least";
  EXPECT_LE(slow.busy_seconds, 2 * slow.total_seconds);
  EXPECT_LT(quick.min_seconds, slow.min_seconds);

  ASSERT_EQ(enfold_start_profile(context.get()), ENFOLD_OK);
  ASSERT_EQ(enfold_read_profile(context.get(), 0, &slow), ENFOLD_OK);
  EXPECT_EQ(slow.runs, 0) << "starting begins anew";
}

TEST(Profile, TellsWhatEachThreadDidOfTheLatestRun) {
  TestProgram program;
  program.addInput("x", 1);
  program.addOutput("y", 1);
  program.addStep(takeAMillisecond, {}, 1, 1, false);
  program.addStep(takeAMillisecond, {}, 8, 1, true);
  const ContextPointer context = makeContext(program, {.threads = 2});
  const auto read = [&](int32_t step, int32_t thread) {
    enfold_thread_profile profile;
    EXPECT_EQ(enfold_read_thread_profile(context.get(), step, thread, &profile), ENFOLD_OK);
    return profile;
  };
  EXPECT_EQ(read(1, 1).end_seconds, 0) << "nothing was profiled";

  const float x = 0;
  float y = 0;
  ASSERT_EQ(enfold_start_profile(context.get()), ENFOLD_OK);
  for (int i = 0; i < 2; ++i) run(context.get(), &x, &y);
  ASSERT_EQ(enfold_set_threads(context.get(), 3), ENFOLD_OK) << "while it is on";
  run(context.get(), &x, &y);
  ASSERT_EQ(enfold_stop_profile(context.get()), ENFOLD_OK);

  const enfold_thread_profile alone = read(0, 0);
  EXPECT_GE(alone.busy_seconds, 0.001);
  EXPECT_EQ(read(0, 1).end_seconds, 0) << "the step is not split";
  double busy = 0;
  int32_t took = 0;
  for (int32_t thread = 0; thread < 3; ++thread) {
    const enfold_thread_profile share = read(1, thread);
    if (share.end_seconds == 0) continue;
    ++took;
    busy += share.busy_seconds;
    EXPECT_GE(share.begin_seconds, alone.end_seconds);
    EXPECT_GE(share.busy_seconds, 0.001);
    EXPECT_LE(share.busy_seconds, share.end_seconds - share.begin_seconds + 1e-9);
  }
  EXPECT_GE(took, 1);
  enfold_step_profile all;
  ASSERT_EQ(enfold_read_profile(context.get(), 1, &all), ENFOLD_OK);
  EXPECT_GT(all.busy_seconds, busy) << "of three runs";

  enfold_thread_profile none;
  EXPECT_EQ(enfold_read_thread_profile(context.get(), 2, 0, &none), ENFOLD_INVALID_ARGUMENT);
  EXPECT_EQ(enfold_read_thread_profile(context.get(), 0, 3, &none), ENFOLD_INVALID_ARGUMENT);
  EXPECT_EQ(enfold_read_thread_profile(context.get(), 0, 0, nullptr), ENFOLD_INVALID_ARGUMENT);
}

} // namespace
} // namespace enfold::rt::test
