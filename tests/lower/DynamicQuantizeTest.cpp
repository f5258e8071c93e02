// Dynamic quantization, alone and between convolutions, against the reference, bit for bit.
#include "Window.h"
#include "codegen/TargetInfo.h"
#include "ir/ConstantText.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

namespace enfold {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

DifferentialOptions exact() {
  return {.tolerance = {.rtol = 0, .atol = 0},
          .low = -3,
          .high = 5,
          .fills = {{0},
                    {2, 0.5},
                    {-1},
                    {kNan},
                    {-kNan, 1},
                    {kInfinity, 1},
                    {-kInfinity},
                    {1e-30},
                    {255, 0},
                    {1, kNan, -3}}};
}

TEST(DynamicQuantize, AnySizes) {
  Sizes sizes(91);
  for (int round = 0; round < rounds(24); ++round) {
    Shape shape;
    for (int64_t i = sizes.between(1, 4); i > 0; --i) shape.push_back(sizes.between(1, 40));
    const auto algorithms = expectCompiledAgrees(
        [&](GraphBuilder& g) {
          const size_t count = round % 4 == 0 ? 1 : 3;
          const auto q =
              g.ops(OpKind::DynamicQuantizeLinear, "q", {g.input("x", f32(shape))}, {}, count);
          return q[static_cast<size_t>(round) % count];
        },
        exact());
    EXPECT_TRUE(uses(algorithms, "extremes") && uses(algorithms, "dynamic_quantize"));
  }
}

/// A convolution of dynamically quantized numbers, in floats again.
Value* convolved(GraphBuilder& g, const std::string& name, Value* x, int64_t cout, int64_t groups,
                 const RandomWindow& window, bool isUnsigned) {
  const auto q = g.ops(OpKind::DynamicQuantizeLinear, name + "_q", {x}, {}, 3);
  Shape w = {cout, x->shape()[1] / groups};
  w.insert(w.end(), window.kernel.begin(), window.kernel.end());
  const ElemType elem = isUnsigned ? ElemType::U8 : ElemType::I8;
  Tensor real(ElemType::F32, w), weights(elem, w), zero(elem, {});
  fillRandom(real, static_cast<uint64_t>(cout), isUnsigned ? 0 : -127, isUnsigned ? 255 : 127);
  for (int64_t i = 0; i < real.numElements(); ++i)
    weights.setDouble(i, std::round(real.asDouble(i)));
  zero.setDouble(0, isUnsigned ? 117 : 0);
  AttrMap attrs = window.attrs();
  attrs["group"] = groups;
  Value* sums = g.op(OpKind::ConvInteger, name,
                     {q[0], g.constant(name + "_w", std::move(weights)), q[2],
                      g.constant(name + "_z", std::move(zero))},
                     attrs);
  Value* scale =
      g.op(OpKind::Mul, name + "_scale", {q[1], g.constant(name + "_ws", Tensor::scalar(0.004f))});
  Value* number = g.op(OpKind::Cast, name + "_cast", {sums}, {{"to", ElemType::F32}});
  Value* scaled = g.op(OpKind::Mul, name + "_y", {number, scale});
  // What lanes past the last channel hold is less than any number.
  return g.op(OpKind::Sub, name + "_b", {scaled, g.constant(name + "_o", Tensor::scalar(50.0f))});
}

TEST(DynamicQuantize, BetweenConvolutions) {
  Sizes sizes(92);
  const bool hasVectors = codegen::hostTarget()->lanes(kir::Scalar::F32) > 1;
  std::set<std::string> kernels;
  for (int round = 0; round < rounds(30); ++round) {
    const int64_t batch = sizes.between(1, 2), cin = sizes.between(1, 40);
    const bool isDepthwise = round % 3 == 1, isUnsigned = round % 2;
    const int64_t cout = isDepthwise ? cin : sizes.between(17, 70);
    RandomWindow first = randomWindow(sizes, 2, {.side = 20});
    if (round % 5 == 4) first = {{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, {24, 28}};
    const bool isRead = round % 4 == 3; // by another op as well
    const auto algorithms = expectCompiledAgrees(
        [&](GraphBuilder& g) {
          Shape shape = {batch, cin};
          shape.insert(shape.end(), first.image.begin(), first.image.end());
          Value* y = convolved(g, "first", g.input("x", f32(shape)), cout, isDepthwise ? cin : 1,
                               first, isUnsigned);
          const RandomWindow one = {{1, 1}, {1, 1}, {1, 1}, {0, 0, 0, 0}, {}};
          Value* z = convolved(g, "second", y, cout, 1, one, !isUnsigned);
          return isRead ? g.op(OpKind::Add, "both", {z, y}) : z;
        },
        exact());
    EXPECT_TRUE(uses(algorithms, "dynamic_scale"));
    for (const char* kernel : {"conv_direct", "conv_depthwise", "winograd pairs"})
      if (uses(algorithms, kernel)) kernels.insert(kernel);
    if (hasVectors) {
      EXPECT_EQ(std::ranges::count_if(algorithms,
                                      [](const std::string& name) { return name == "extremes"; }),
                1)
          << round;
    }
  }
  if (hasVectors) {
    EXPECT_EQ(kernels.size(), 3U);
  }
}

} // namespace
} // namespace enfold
