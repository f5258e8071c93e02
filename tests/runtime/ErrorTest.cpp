// What a program or a caller can get wrong: each is refused with its status and says what is wrong.
#include "TestProgram.h"

#include <enfold/enfold.h>

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <functional>
#include <limits>
#include <ostream>
#include <string>
#include <thread>

// Under a sanitizer too, asking for too much memory shall fail rather than end the test.
extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1"; }
extern "C" const char* __tsan_default_options() { return "allocator_may_return_null=1"; }

namespace enfold::rt::test {
namespace {

void copyFloats(void* const* buffers, int64_t begin, int64_t end, void*) {
  for (int64_t i = begin; i < end; ++i)
    static_cast<float*>(buffers[1])[i] = static_cast<const float*>(buffers[0])[i];
}

/// A correct program and copies of its lists, for a case to break.
struct Breakable {
  Breakable() {
    builder.addInput("in", 8);
    builder.addOutput("out", 8);
    builder.arenaBytes = 128;
    builder.addStep(copyFloats, {input(0), output(0)}, 8);
    builder.addStep(copyFloats, {constant(32), arena(64)}, 8);
    program = builder.get();
    in = program.inputs[0];
    out = program.outputs[0];
    step = program.steps[0];
    buffers[0] = step.buffers[0];
    buffers[1] = step.buffers[1];
    program.inputs = &in;
    program.outputs = &out;
    program.steps = &step;
    program.num_steps = 1;
    step.buffers = buffers;
  }

  TestProgram builder;
  enfold_program program;
  enfold_tensor_info in, out;
  enfold_step step;
  enfold_buffer_ref buffers[2];
};

struct BrokenProgram {
  const char* name;
  std::function<void(Breakable&)> breakIt;
  enfold_status status;
  const char* says;
};

void PrintTo(const BrokenProgram& broken, std::ostream* out) { *out << broken.name; }

class BrokenPrograms : public testing::TestWithParam<BrokenProgram> {};

TEST_P(BrokenPrograms, AreRefused) {
  Breakable breakable;
  enfold_context* context = nullptr;
  ASSERT_EQ(enfold_create_context(&breakable.program, nullptr, &context), ENFOLD_OK)
      << enfold_last_error();
  enfold_destroy_context(context);

  GetParam().breakIt(breakable);
  context = reinterpret_cast<enfold_context*>(&breakable);
  EXPECT_EQ(enfold_create_context(&breakable.program, nullptr, &context), GetParam().status);
  EXPECT_EQ(context, nullptr);
  EXPECT_NE(std::string(enfold_last_error()).find(GetParam().says), std::string::npos)
      << enfold_last_error();
}

constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();
constexpr enfold_status kInvalid = ENFOLD_INVALID_PROGRAM;

const BrokenProgram kBrokenPrograms[] = {
    {"Version", [](Breakable& b) { b.program.version = 1; }, ENFOLD_WRONG_VERSION, "version 1"},
    {"UnknownIsa", [](Breakable& b) { b.program.isa = "scalar,vliw9"; }, ENFOLD_WRONG_CPU, "vliw9"},
    {"NegativeInputs", [](Breakable& b) { b.program.num_inputs = -1; }, kInvalid, "negative"},
    {"NegativeOutputs", [](Breakable& b) { b.program.num_outputs = -1; }, kInvalid, "negative"},
    {"NegativeSteps", [](Breakable& b) { b.program.num_steps = -7; }, kInvalid, "negative"},
    {"NegativeArena", [](Breakable& b) { b.program.arena_bytes = -64; }, kInvalid, "negative"},
    {"NegativeScratch", [](Breakable& b) { b.program.scratch_bytes = -1; }, kInvalid, "negative"},
    {"NegativeConstants", [](Breakable& b) { b.program.constants_bytes = -1; }, kInvalid,
     "negative"},
    {"NoInputs", [](Breakable& b) { b.program.inputs = nullptr; }, kInvalid, "null"},
    {"NoSteps", [](Breakable& b) { b.program.steps = nullptr; }, kInvalid, "null"},
    {"NoConstants", [](Breakable& b) { b.program.constants = nullptr; }, kInvalid, "null"},
    {"CrookedConstants", [](Breakable& b) { b.program.constants = &b.builder.constants[1]; },
     kInvalid, "aligned"},
    {"NamelessInput", [](Breakable& b) { b.in.name = nullptr; }, kInvalid, "input 0"},
    {"UnknownElement", [](Breakable& b) { b.out.elem = 8; }, kInvalid, "'out'"},
    {"RankTooHigh", [](Breakable& b) { b.in.rank = 9; }, kInvalid, "rank 9"},
    {"NegativeRank", [](Breakable& b) { b.in.rank = -1; }, kInvalid, "rank -1"},
    {"NegativeDimension", [](Breakable& b) { b.in.dims[0] = -8; }, kInvalid, "-8"},
    {"OverflowingShape",
     [](Breakable& b) {
       b.in.rank = 2;
       b.in.dims[0] = b.in.dims[1] = int64_t{1} << 32;
     },
     kInvalid, "dimension 1"},
    {"WrongBytes", [](Breakable& b) { b.out.bytes = 31; }, kInvalid, "31"},
    {"NoKernel", [](Breakable& b) { b.step.kernel = nullptr; }, kInvalid, "no kernel"},
    {"NegativeIterations", [](Breakable& b) { b.step.iterations = -1; }, kInvalid, "iterations"},
    {"ZeroGrain", [](Breakable& b) { b.step.grain = 0; }, kInvalid, "grains of 0"},
    {"NegativeBuffers", [](Breakable& b) { b.step.num_buffers = -2; }, kInvalid, "buffers"},
    {"NoBuffers", [](Breakable& b) { b.step.buffers = nullptr; }, kInvalid, "buffers"},
    {"UnknownSpace", [](Breakable& b) { b.buffers[0].space = 4; }, kInvalid, "space 4"},
    {"InputTooHigh", [](Breakable& b) { b.buffers[0].index = 1; }, kInvalid, "index 1"},
    {"OutputNegative", [](Breakable& b) { b.buffers[1].index = -1; }, kInvalid, "index -1"},
    {"NegativeOffset", [](Breakable& b) { b.buffers[1].offset = -4; }, kInvalid, "-4"},
    {"OffsetPastEnd", [](Breakable& b) { b.buffers[1].offset = 33; }, kInvalid, "33 of 32"},
    {"OffsetPastArena", [](Breakable& b) { b.buffers[1] = arena(129); }, kInvalid, "129 of 128"},
    {"NamelessStep",
     [](Breakable& b) {
       b.step.name = nullptr;
       b.step.kernel = nullptr;
     },
     kInvalid, "unnamed"},
    {"NoCheckResult", [](Breakable& b) { b.step.check = "wrong"; }, kInvalid, "no result"},
    {"NoRoomForMessage",
     [](Breakable& b) {
       b.buffers[1] = arena(0);
       b.step.check = "";
     },
     kInvalid, "no result"},
    {"ArenaTooLarge", [](Breakable& b) { b.program.arena_bytes = kHuge; }, ENFOLD_NO_MEMORY,
     "arena"},
    {"ScratchTooLarge", [](Breakable& b) { b.program.scratch_bytes = kHuge; }, ENFOLD_NO_MEMORY,
     "scratch"},
};

INSTANTIATE_TEST_SUITE_P(All, BrokenPrograms, testing::ValuesIn(kBrokenPrograms),
                         [](const auto& info) { return std::string(info.param.name); });

class CallerErrors : public testing::Test {
protected:
  void SetUp() override {
    program.addInput("in", 8);
    program.addOutput("out", 8);
    program.addStep(copyFloats, {input(0), output(0)}, 8);
    context = makeContext(program);
    ASSERT_NE(context, nullptr);
  }

  void expectRefused(const void* input, void* output, const char* says) {
    EXPECT_EQ(run(context.get(), input, output), ENFOLD_INVALID_ARGUMENT);
    EXPECT_NE(std::string(enfold_last_error()).find(says), std::string::npos)
        << enfold_last_error();
  }

  TestProgram program;
  ContextPointer context;
  float x[16] = {1, 2, 3, 4, 5, 6, 7, 8};
  float y[16] = {};
};

TEST_F(CallerErrors, Pointers) {
  expectRefused(nullptr, y, "input 'in' is null");
  expectRefused(nullptr, y, "input 'in' is null"); // unchanged pointers are no better
  expectRefused(x, nullptr, "output 'out' is null");
  expectRefused(reinterpret_cast<char*>(x) + 1, y, "'in' is not aligned");
  expectRefused(x, reinterpret_cast<char*>(y) + 2, "'out' is not aligned");
  expectRefused(x, x, "'out' overlaps 'in'");
  expectRefused(x, x + 7, "'out' overlaps 'in'");
  expectRefused(x + 7, x, "'out' overlaps 'in'");
  EXPECT_EQ(run(context.get(), x, y), ENFOLD_OK);
  EXPECT_EQ(y[7], 8.0F);
  EXPECT_EQ(run(context.get(), x, x + 8), ENFOLD_OK) << "neighbours do not overlap";
}

TEST_F(CallerErrors, OutputsMayNotOverlapEachOther) {
  TestProgram two;
  two.addOutput("first", 4);
  two.addOutput("second", 4);
  const ContextPointer twoOutputs = makeContext(two);
  void* outputs[] = {y, y + 3};
  EXPECT_EQ(enfold_run(twoOutputs.get(), nullptr, 0, outputs, 2), ENFOLD_INVALID_ARGUMENT);
  EXPECT_NE(std::string(enfold_last_error()).find("'second' overlaps 'first'"), std::string::npos);
}

TEST_F(CallerErrors, Counts) {
  const void* inputs[] = {x, x};
  void* outputs[] = {y};
  EXPECT_EQ(enfold_run(context.get(), inputs, 2, outputs, 1), ENFOLD_INVALID_ARGUMENT);
  EXPECT_EQ(enfold_run(context.get(), inputs, 1, outputs, 0), ENFOLD_INVALID_ARGUMENT);
  EXPECT_EQ(enfold_run(context.get(), nullptr, 1, outputs, 1), ENFOLD_INVALID_ARGUMENT);
  EXPECT_EQ(enfold_run(context.get(), inputs, 1, nullptr, 1), ENFOLD_INVALID_ARGUMENT);
}

TEST_F(CallerErrors, Null) {
  enfold_context* made = nullptr;
  EXPECT_EQ(enfold_create_context(nullptr, nullptr, &made), ENFOLD_INVALID_ARGUMENT);
  EXPECT_EQ(enfold_create_context(&program.get(), nullptr, nullptr), ENFOLD_INVALID_ARGUMENT);
  EXPECT_EQ(enfold_run(nullptr, nullptr, 0, nullptr, 0), ENFOLD_INVALID_ARGUMENT);
  EXPECT_EQ(enfold_set_threads(nullptr, 1), ENFOLD_INVALID_ARGUMENT);
  EXPECT_EQ(enfold_start_profile(nullptr), ENFOLD_INVALID_ARGUMENT);
  EXPECT_EQ(enfold_stop_profile(nullptr), ENFOLD_INVALID_ARGUMENT);
  EXPECT_EQ(enfold_get_threads(nullptr), 0);
  EXPECT_EQ(enfold_context_bytes(nullptr), 0);
  EXPECT_EQ(enfold_context_program(nullptr), nullptr);
  EXPECT_EQ(enfold_input_info(nullptr, 0), nullptr);
  EXPECT_EQ(enfold_find_output(nullptr, "out"), -1);
  enfold_destroy_context(nullptr);
}

TEST_F(CallerErrors, Threads) {
  enfold_status status = ENFOLD_OK;
  EXPECT_EQ(makeContext(program, {.threads = -1}, &status), nullptr);
  EXPECT_EQ(status, ENFOLD_INVALID_ARGUMENT);
  ASSERT_EQ(enfold_set_threads(context.get(), 2), ENFOLD_OK);
  EXPECT_EQ(enfold_set_threads(context.get(), ENFOLD_MAX_THREADS + 1), ENFOLD_INVALID_ARGUMENT);
  EXPECT_EQ(enfold_set_threads(context.get(), -2), ENFOLD_INVALID_ARGUMENT);
  EXPECT_EQ(enfold_get_threads(context.get()), 2) << "the old number stays";
  EXPECT_EQ(run(context.get(), x, y), ENFOLD_OK);
  ASSERT_EQ(enfold_set_threads(context.get(), 0), ENFOLD_OK);
  EXPECT_EQ(enfold_get_threads(context.get()), enfold_default_threads());
}

TEST_F(CallerErrors, ProfileIndex) {
  enfold_step_profile profile;
  EXPECT_EQ(enfold_read_profile(context.get(), 0, &profile), ENFOLD_OK);
  EXPECT_EQ(enfold_read_profile(context.get(), 1, &profile), ENFOLD_INVALID_ARGUMENT);
  EXPECT_EQ(enfold_read_profile(context.get(), -1, &profile), ENFOLD_INVALID_ARGUMENT);
  EXPECT_EQ(enfold_read_profile(context.get(), 0, nullptr), ENFOLD_INVALID_ARGUMENT);
}

void checkFirst(void* const* buffers, int64_t, int64_t, void*) {
  *static_cast<int32_t*>(buffers[1]) = *static_cast<const float*>(buffers[0]) < 0 ? 1 : 0;
}

TEST(InvalidData, EndsTheRunBeforeTheNextStep) {
  TestProgram program;
  program.addInput("in", 8);
  program.addOutput("out", 8);
  program.arenaBytes = 64;
  program.addStep(checkFirst, {input(0), arena(4)}, 1).check = "the first number is negative";
  program.addStep(copyFloats, {input(0), output(0)}, 8);
  const ContextPointer context = makeContext(program);
  ASSERT_NE(context, nullptr) << enfold_last_error();
  float x[8] = {1}, y[8] = {};
  for (const bool profiled : {false, true}) {
    if (profiled) enfold_start_profile(context.get());
    x[0] = 1;
    EXPECT_EQ(run(context.get(), x, y), ENFOLD_OK);
    EXPECT_EQ(y[0], 1.0F);
    x[0] = -2;
    EXPECT_EQ(run(context.get(), x, y), ENFOLD_INVALID_DATA);
    EXPECT_STREQ(enfold_last_error(), "the first number is negative");
    EXPECT_EQ(y[0], 1.0F) << "later steps do not run";
  }
}

void checkWithMessage(void* const* buffers, int64_t, int64_t, void*) {
  const float number = *static_cast<const float*>(buffers[0]);
  auto* check = static_cast<enfold_check*>(buffers[1]);
  check->failed = number < 0 ? 1 : 0;
  std::snprintf(check->message, sizeof check->message, "%g is negative",
                static_cast<double>(number));
}

TEST(InvalidData, HasTheMessageOfTheStep) {
  TestProgram program;
  program.addInput("in", 8);
  program.addOutput("out", 8);
  program.arenaBytes = sizeof(enfold_check);
  program.addStep(checkWithMessage, {input(0), arena(0)}, 1).check = "";
  program.addStep(copyFloats, {input(0), output(0)}, 8);
  const ContextPointer bad = makeContext(program), good = makeContext(program);
  ASSERT_TRUE(bad && good) << enfold_last_error();
  float x[8] = {-3}, y[8] = {};
  EXPECT_EQ(run(bad.get(), x, y), ENFOLD_INVALID_DATA);
  EXPECT_STREQ(enfold_last_error(), "-3 is negative");
  EXPECT_EQ(y[0], 0.0F);
  x[0] = 2;
  EXPECT_EQ(run(good.get(), x, y), ENFOLD_OK);
  EXPECT_EQ(y[0], 2.0F);
}

TEST(LastError, BelongsToTheThread) {
  EXPECT_EQ(enfold_run(nullptr, nullptr, 0, nullptr, 0), ENFOLD_INVALID_ARGUMENT);
  EXPECT_STRNE(enfold_last_error(), "");
  std::string elsewhere = "not yet asked";
  std::thread([&] { elsewhere = enfold_last_error(); }).join();
  EXPECT_EQ(elsewhere, "");
}

TEST(Status, EachHasAName) {
  for (int status = ENFOLD_OK; status <= ENFOLD_INVALID_DATA; ++status)
    EXPECT_STRNE(enfold_status_text(static_cast<enfold_status>(status)), "unknown status");
  EXPECT_STREQ(enfold_status_text(static_cast<enfold_status>(99)), "unknown status");
}

} // namespace
} // namespace enfold::rt::test
