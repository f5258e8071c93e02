// One program, many contexts, many threads; and one context that two threads want.
#include "TestProgram.h"

#include <enfold/enfold.h>

#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

namespace enfold::rt::test {
namespace {

void addOne(void* const* buffers, int64_t begin, int64_t end, void* scratch) {
  auto* temporary = static_cast<float*>(scratch);
  for (int64_t i = begin; i < end; ++i) {
    *temporary = static_cast<const float*>(buffers[0])[i];
    static_cast<float*>(buffers[1])[i] = *temporary + 1;
  }
}

TEST(Concurrency, ContextsOfOneProgramRunAtOnce) {
  constexpr int64_t kSize = 257;
  TestProgram program;
  program.addInput("x", kSize);
  program.addOutput("y", kSize);
  program.arenaBytes = 2 * 4 * 320;
  program.scratchBytes = 64;
  program.addStep(addOne, {input(0), arena(0)}, kSize, 4);
  program.addStep(addOne, {arena(0), arena(4 * 320)}, kSize, 3);
  program.addStep(addOne, {arena(4 * 320), output(0)}, kSize, 1);
  const enfold_program& shared = program.get();

  std::atomic<int> good{0};
  std::vector<std::thread> users;
  for (int user = 0; user < 4; ++user)
    users.emplace_back([&shared, &good, user] {
      const enfold_options options = {.threads = 1 + user};
      enfold_context* context = nullptr;
      if (enfold_create_context(&shared, &options, &context) != ENFOLD_OK) return;
      bool correct = true;
      for (int round = 0; round < 200; ++round) {
        const std::vector<float> x(kSize, static_cast<float>(user * 1000 + round));
        std::vector<float> y(kSize);
        correct = run(context, x.data(), y.data()) == ENFOLD_OK && correct;
        correct = y == std::vector<float>(kSize, x[0] + 3) && correct;
      }
      enfold_destroy_context(context);
      good += correct;
    });
  for (std::thread& user : users) user.join();
  EXPECT_EQ(good, 4);
}

/// Data may not be negative; the message names the number.
void copyIfPositive(void* const* buffers, int64_t, int64_t, void*) {
  const float number = *static_cast<const float*>(buffers[0]);
  *static_cast<float*>(buffers[1]) = number;
  auto* check = static_cast<enfold_check*>(buffers[2]);
  check->failed = number < 0;
  std::snprintf(check->message, sizeof check->message, "%g is negative",
                static_cast<double>(number));
}

TEST(Concurrency, ErrorsBelongToTheRun) {
  TestProgram program;
  program.addInput("x", 1);
  program.addOutput("y", 1);
  program.arenaBytes = sizeof(enfold_check);
  program.addStep(copyIfPositive, {input(0), output(0), arena(0)}, 1).check = "";
  const enfold_program& shared = program.get();

  std::atomic<int> asExpected{0};
  std::vector<std::thread> users;
  for (const float number : {1.0F, -2.0F, 3.0F, -4.0F})
    users.emplace_back([&shared, &asExpected, number] {
      enfold_context* context = nullptr;
      if (enfold_create_context(&shared, nullptr, &context) != ENFOLD_OK) return;
      const std::string error = std::to_string(static_cast<int>(number)) + " is negative";
      for (int round = 0; round < 500; ++round) {
        float y = 0;
        const enfold_status status = run(context, &number, &y);
        asExpected += number > 0 ? status == ENFOLD_OK && y == number
                                 : status == ENFOLD_INVALID_DATA && error == enfold_last_error();
      }
      enfold_destroy_context(context);
    });
  for (std::thread& user : users) user.join();
  EXPECT_EQ(asExpected, 4 * 500);
}

std::atomic<bool> kernelEntered{false};
std::atomic<bool> kernelMayLeave{false};

void waitForLeave(void* const*, int64_t, int64_t, void*) {
  kernelEntered = true;
  while (!kernelMayLeave) std::this_thread::yield();
}

TEST(Concurrency, ContextInUseIsBusy) {
  TestProgram program;
  program.addInput("x", 1);
  program.addOutput("y", 1);
  program.addStep(waitForLeave, {}, 1);
  const ContextPointer context = makeContext(program, {.threads = 2});
  const float x = 0;
  float y = 0;
  enfold_status first = ENFOLD_BUSY;
  std::thread user([&] { first = run(context.get(), &x, &y); });
  while (!kernelEntered) std::this_thread::yield();

  EXPECT_EQ(run(context.get(), &x, &y), ENFOLD_BUSY);
  EXPECT_EQ(enfold_set_threads(context.get(), 1), ENFOLD_BUSY);
  EXPECT_EQ(enfold_start_profile(context.get()), ENFOLD_BUSY);
  enfold_step_profile profile;
  EXPECT_EQ(enfold_read_profile(context.get(), 0, &profile), ENFOLD_BUSY);
  kernelMayLeave = true;
  user.join();
  EXPECT_EQ(first, ENFOLD_OK);
  EXPECT_EQ(run(context.get(), &x, &y), ENFOLD_OK) << "and then it is free again";
}

} // namespace
} // namespace enfold::rt::test
