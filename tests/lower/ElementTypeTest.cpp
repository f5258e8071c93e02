// Conversions between all element types, and integer arithmetic, against the reference.
#include "Differential.h"

#include <gtest/gtest.h>

#include <limits>

namespace enfold {
namespace {

constexpr ElemType kElems[] = {ElemType::F32, ElemType::F64, ElemType::F16, ElemType::BF16,
                               ElemType::I8,  ElemType::I16, ElemType::I32, ElemType::I64,
                               ElemType::U8,  ElemType::U16, ElemType::U32, ElemType::U64,
                               ElemType::Bool};
constexpr ElemType kIntegers[] = {ElemType::I8, ElemType::I16, ElemType::I32, ElemType::I64,
                                  ElemType::U8, ElemType::U16, ElemType::U32, ElemType::U64};

bool startsAtZero(ElemType elem) {
  return info(elem).cls == ElemClass::Unsigned || elem == ElemType::Bool;
}

TEST(Cast, BetweenAllTypes) {
  Sizes sizes(31);
  for (const ElemType from : kElems)
    for (const ElemType to : kElems) {
      if (from == to) continue;
      const Shape shape = {sizes.between(1, 5), sizes.between(1, 40)};
      const auto algorithms = expectCompiledAgrees(
          [&](GraphBuilder& g) {
            return g.op(OpKind::Cast, "cast", {g.input("x", {from, shape, {}})}, {{"to", to}});
          },
          {.tolerance = {0, 0}, .low = startsAtZero(from) ? 0.0 : -120.0, .high = 120});
      EXPECT_EQ(algorithms, std::vector<std::string>{"pointwise"});
    }
}

TEST(Cast, FloatsOutOfRangeSaturate) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> numbers = {nan,   INFINITY, -INFINITY, 1e30f,   -1e30f, 300,  -300,
                                      70000, -70000,   127.5f,    -128.5f, 255.5f, 3e9f, 5e9f,
                                      -3e9f, 2e19f,    0.99f,     -0.99f,  -0.0f};
  const std::span<const float> span(numbers);
  const auto n = static_cast<int64_t>(numbers.size());
  for (const ElemType to : kIntegers)
    expectCompiledAgrees(
        [&](GraphBuilder& g) {
          Value* x = g.op(OpKind::Mul, "mul",
                          {g.constant("c", Tensor::of({n}, span)), g.input("one", f32({n}))});
          return g.op(OpKind::Cast, "cast", {x}, {{"to", to}});
        },
        {.tolerance = {0, 0}, .low = 1, .high = 1});
}

TEST(Integers, ArithmeticOfEveryWidth) {
  Sizes sizes(32);
  for (const ElemType elem : kIntegers)
    for (const OpKind kind :
         {OpKind::Add, OpKind::Sub, OpKind::Mul, OpKind::Div, OpKind::Mod, OpKind::Max, OpKind::Min,
          OpKind::Pow, OpKind::PRelu, OpKind::BitwiseAnd, OpKind::BitwiseOr, OpKind::BitwiseXor}) {
      const Shape shape = {sizes.between(1, 4), sizes.between(1, 70)};
      const auto algorithms = expectCompiledAgrees(
          [&](GraphBuilder& g) {
            return g.op(kind, "op",
                        {g.input("a", {elem, shape, {}}), g.input("b", {elem, shape, {}})});
          },
          {.tolerance = {0, 0}, .low = startsAtZero(elem) ? 0.0 : -120.0, .high = 120});
      EXPECT_EQ(algorithms, std::vector<std::string>{"pointwise"});
    }
}

TEST(Integers, FunctionsOfOne) {
  for (const ElemType elem : kIntegers)
    for (const OpKind kind :
         {OpKind::Abs, OpKind::Neg, OpKind::Sign, OpKind::Relu, OpKind::BitwiseNot}) {
      if (startsAtZero(elem) && kind == OpKind::Neg) continue;
      expectCompiledAgrees(
          [&](GraphBuilder& g) { return g.op(kind, "op", {g.input("a", {elem, {3, 29}, {}})}); },
          {.tolerance = {0, 0}, .low = startsAtZero(elem) ? 0.0 : -120.0, .high = 120});
    }
}

TEST(Integers, ShiftsPastTheWidth) {
  for (const ElemType elem : {ElemType::U8, ElemType::U16, ElemType::U32, ElemType::U64})
    for (const char* direction : {"LEFT", "RIGHT"})
      expectCompiledAgrees(
          [&](GraphBuilder& g) {
            return g.op(OpKind::BitShift, "shift",
                        {g.input("a", {elem, {67}, {}}), g.input("b", {elem, {67}, {}})},
                        {{"direction", std::string(direction)}});
          },
          {.tolerance = {0, 0}, .low = 0, .high = 100});
}

TEST(Pow, ExponentsOfOtherTypes) {
  for (const ElemType base : {ElemType::F32, ElemType::F64, ElemType::F16, ElemType::I32})
    for (const ElemType exponent : {ElemType::F32, ElemType::I32, ElemType::I64, ElemType::U8}) {
      if (!isFloat(base) && isFloat(exponent)) continue;
      expectCompiledAgrees(
          [&](GraphBuilder& g) {
            return g.op(OpKind::Pow, "pow",
                        {g.input("a", {base, {5, 23}, {}}), g.input("b", {exponent, {23}, {}})});
          },
          {.tolerance = {.rtol = base == ElemType::F16 ? 2e-3 : 1e-5, .atol = 1e-5},
           .low = 0.5,
           .high = 5});
    }
}

TEST(SwiGlu, AgreesWithItsFormula) {
  expectCompiledAgrees([](GraphBuilder& g) {
    return g.op(OpKind::SwiGLU, "glu", {g.input("a", f32({3, 37})), g.input("b", f32({3, 37}))});
  });
}

} // namespace
} // namespace enfold
