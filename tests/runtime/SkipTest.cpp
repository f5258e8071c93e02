// Steps that leave out others.
#include "TestProgram.h"

#include <gtest/gtest.h>

#include <string>

namespace enfold::rt::test {
namespace {

/// Skips where the first number is not negative.
void decide(void* const* buffers, int64_t, int64_t, void*) {
  *static_cast<int32_t*>(buffers[1]) = *static_cast<const float*>(buffers[0]) < 0 ? 0 : 7;
}

void addOne(void* const* buffers, int64_t, int64_t, void*) {
  *static_cast<float*>(buffers[0]) += 1;
}

void addTen(void* const* buffers, int64_t, int64_t, void*) {
  *static_cast<float*>(buffers[0]) += 10;
}

TEST(Skip, LeavesOutTheStepsBehind) {
  TestProgram program;
  program.addInput("in", 1);
  program.addOutput("out", 1);
  program.arenaBytes = 64;
  program.addStep(decide, {input(0), arena(0)}, 1).skip = 2;
  program.addStep(addOne, {output(0)}, 1);
  program.addStep(addOne, {output(0)}, 1);
  program.addStep(addTen, {output(0)}, 1);
  const ContextPointer context = makeContext(program);
  ASSERT_NE(context, nullptr) << enfold_last_error();
  for (const bool profiled : {false, true}) {
    if (profiled) enfold_start_profile(context.get());
    for (const float x : {-1.0F, 1.0F, -3.0F}) {
      float y = 0;
      EXPECT_EQ(run(context.get(), &x, &y), ENFOLD_OK);
      EXPECT_EQ(y, x < 0 ? 12.0F : 10.0F);
    }
  }
}

TEST(Skip, MayEndTheProgram) {
  TestProgram program;
  program.addInput("in", 1);
  program.addOutput("out", 1);
  program.arenaBytes = 64;
  program.addStep(decide, {input(0), arena(0)}, 1).skip = 1;
  program.addStep(addOne, {output(0)}, 1);
  const ContextPointer context = makeContext(program);
  ASSERT_NE(context, nullptr) << enfold_last_error();
  const float x = 1;
  float y = 5;
  EXPECT_EQ(run(context.get(), &x, &y), ENFOLD_OK);
  EXPECT_EQ(y, 5.0F);
}

TEST(Skip, WrongOnesAreRefused) {
  const auto refused = [](int64_t skip, enfold_buffer_ref result, const char* check) {
    TestProgram program;
    program.addInput("in", 1);
    program.addOutput("out", 1);
    program.arenaBytes = 64;
    enfold_step& step = program.addStep(decide, {input(0), result}, 1);
    step.skip = skip;
    step.check = check;
    program.addStep(addOne, {output(0)}, 1);
    enfold_status status = ENFOLD_OK;
    EXPECT_EQ(makeContext(program, {}, &status), nullptr);
    EXPECT_EQ(status, ENFOLD_INVALID_PROGRAM);
    return std::string(enfold_last_error());
  };
  for (const int64_t skip : {int64_t{-1}, int64_t{2}, INT64_MAX, INT64_MIN})
    EXPECT_NE(refused(skip, arena(0), nullptr).find("skips"), std::string::npos);
  EXPECT_NE(refused(1, output(0), nullptr).find("no result"), std::string::npos);
  EXPECT_NE(refused(1, arena(62), nullptr).find("no result"), std::string::npos);
  EXPECT_NE(refused(1, arena(0), "wrong").find("no result"), std::string::npos);
}

} // namespace
} // namespace enfold::rt::test
