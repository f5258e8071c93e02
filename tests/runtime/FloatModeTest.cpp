// Subnormal numbers are flushed in every thread that runs kernels, or kept on request; kernels do
// not see the caller's rounding mode, and the caller gets its floating-point state back.
#include "TestProgram.h"

#include <enfold/enfold.h>

#include <gtest/gtest.h>

#include <cfenv>
#include <chrono>
#include <set>
#include <thread>
#include <vector>

namespace enfold::rt::test {
namespace {

/// out[i] = in[i] * in[i], slowly enough that all threads take part.
void squares(void* const* buffers, int64_t begin, int64_t end, void*) {
  std::this_thread::sleep_for(std::chrono::microseconds(200));
  for (int64_t i = begin; i < end; ++i) {
    const volatile float in = static_cast<const float*>(buffers[0])[i];
    static_cast<float*>(buffers[1])[i] = in * in;
  }
}

constexpr int64_t kSize = 64;

/// The distinct answers of 64 times value * value over three threads.
std::set<float> squareEverywhere(float value, enfold_options options) {
  TestProgram program;
  program.addInput("x", kSize);
  program.addOutput("y", kSize);
  program.addStep(squares, {input(0), output(0)}, kSize);
  options.threads = 3;
  const ContextPointer context = makeContext(program, options);
  const std::vector<float> x(kSize, value);
  std::vector<float> y(kSize);
  EXPECT_EQ(run(context.get(), x.data(), y.data()), ENFOLD_OK);
  return {y.begin(), y.end()};
}

float squareHere(float value) {
  const volatile float in = value;
  return in * in;
}

// 2^-70 squared is 2^-140: below 2^-126, the least normal number.
constexpr float kTiny = 0x1p-70F;

#if defined(__x86_64__) || defined(__aarch64__)
TEST(FloatMode, DenormalsAreFlushedByDefault) {
  EXPECT_EQ(squareEverywhere(kTiny, {}), std::set<float>{0.0F});
  EXPECT_EQ(squareHere(kTiny), 0x1p-140F) << "the caller's own mode is restored";
}
#endif

TEST(FloatMode, DenormalsAreKeptOnRequest) {
  EXPECT_EQ(squareEverywhere(kTiny, {.keep_denormals = 1}), std::set<float>{0x1p-140F});
}

TEST(FloatMode, CallersRoundingIsSetAsideAndRestored) {
  const float value = 1.1F; // its square is not representable
  const float nearest = squareHere(value);
  for (const int rounding : {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO}) {
    ASSERT_EQ(std::fesetround(rounding), 0);
    const std::set<float> answers = squareEverywhere(value, {});
    EXPECT_EQ(std::fegetround(), rounding);
    std::fesetround(FE_TONEAREST);
    EXPECT_EQ(answers, std::set<float>{nearest});
  }
}

TEST(FloatMode, CallersExceptionFlagsAreRestored) {
  std::feclearexcept(FE_ALL_EXCEPT);
  squareEverywhere(3e38F, {}); // overflows
  EXPECT_EQ(std::fetestexcept(FE_OVERFLOW), 0);
}

} // namespace
} // namespace enfold::rt::test
