// Pointwise kernels against the reference: every op on every element type, broadcasting, special
// numbers, and conversions.
#include "Differential.h"
#include "lower/Elementwise.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace enfold {
namespace {

constexpr ElemType kElems[] = {ElemType::F32, ElemType::F64, ElemType::F16, ElemType::BF16,
                               ElemType::I8,  ElemType::I16, ElemType::I32, ElemType::I64,
                               ElemType::U8,  ElemType::U16, ElemType::U32, ElemType::U64,
                               ElemType::Bool};

struct Range {
  double low, high;
};

/// Where an op is defined and does not overflow half precision.
Range rangeOf(OpKind kind, ElemType elem) {
  if (elem == ElemType::Bool) return {0, 1};
  if (!isFloat(elem)) return {isUnsigned(elem) ? 0.0 : -9.0, 9};
  switch (kind) {
  case OpKind::Acos:
  case OpKind::Asin:
  case OpKind::Atanh:
    return {-0.95, 0.95};
  case OpKind::Acosh:
    return {1.1, 9};
  case OpKind::Log:
  case OpKind::Sqrt:
  case OpKind::Reciprocal:
  case OpKind::Div:
  case OpKind::Pow:
    return {0.25, 4};
  case OpKind::Tan:
    return {-1.4, 1.4};
  default:
    return {-4, 4};
  }
}

AttrMap attrsOf(OpKind kind) {
  if (kind == OpKind::BitShift) return {{"direction", std::string("LEFT")}};
  return {};
}

/// The op on inputs of these types; variadic ones take three.
Value* apply(GraphBuilder& g, OpKind kind, ElemType elem, const std::vector<Shape>& shapes,
             const AttrMap& attrs) {
  const OpInfo& row = info(kind);
  const size_t count = row.isVariadic() ? 3 : row.operands.size();
  std::vector<Value*> operands;
  for (size_t i = 0; i < count; ++i) {
    const bool condition = kind == OpKind::Where && i == 0;
    const bool bound = kind == OpKind::Clip && i > 0;
    operands.push_back(g.input(
        "x", {condition ? ElemType::Bool : elem, bound ? Shape{} : shapes[i % shapes.size()], {}}));
  }
  return g.op(kind, "op", operands, attrs);
}

/// Whether the op exists for that type and is generated for it.
bool isGenerated(OpKind kind, ElemType elem) {
  GraphBuilder g("probe");
  return g.finish(apply(g, kind, elem, {{2}}, attrsOf(kind)), "y").has_value() &&
         lower::elementwiseRefusal(kind, attrsOf(kind), std::vector(3, elem)).empty();
}

Tolerance toleranceFor(OpKind kind, ElemType elem) {
  Tolerance tolerance = toleranceOf(elem);
  // Sums of remainders: one rounding of a term is many of the result.
  if (isFloat(elem) && kind == OpKind::Mod) tolerance.atol = tolerance.rtol;
  return tolerance;
}

TEST(Pointwise, EveryOpOnEveryElementType) {
  int count = 0;
  for (const OpInfo& row : opTable()) {
    if (!row.is(traits::Elementwise) || row.kind == OpKind::Cast) continue;
    for (const ElemType elem : kElems) {
      if (!isGenerated(row.kind, elem)) continue;
      ++count;
      const Range range = rangeOf(row.kind, elem);
      const bool divides = row.kind == OpKind::Div || row.kind == OpKind::Mod;
      const auto algorithms = expectCompiledAgrees(
          [&](GraphBuilder& g) { return apply(g, row.kind, elem, {{5, 67}}, attrsOf(row.kind)); },
          {.tolerance = toleranceFor(row.kind, elem),
           .low = range.low,
           .high = range.high,
           .nonzero = divides && !isFloat(elem)});
      EXPECT_TRUE(uses(algorithms, "pointwise")) << row.name << " of " << name(elem);
    }
  }
  EXPECT_GE(count, 300);
}

/// What has no kernel does not become a step, for then its producer had none either.
TEST(Pointwise, OpsWithoutFormulasStandAlone) {
  int count = 0;
  const auto expectAlone = [&](OpKind kind, ElemType elem, ElemType second) {
    const AttrMap attrs = attrsOf(kind);
    const auto build = [&](GraphBuilder& g) {
      Value* axes = g.constant("axes", Tensor::of<int64_t>({1}, {2}));
      Value* sum = g.op(OpKind::ReduceMax, "max", {g.input("x", {elem, {2, 3, 4}, {}}), axes});
      std::vector<Value*> operands = {sum};
      if (info(kind).operands.size() > 1) operands.push_back(g.input("y", {second, {2, 3, 1}, {}}));
      return g.op(kind, "op", operands, attrs);
    };
    GraphBuilder probe("probe");
    if (!probe.finish(build(probe), "y") ||
        lower::elementwiseRefusal(kind, attrs, std::vector{elem, second}).empty())
      return;
    ++count;
    EXPECT_TRUE(
        uses(expectCompiledAgrees(build, {.low = 0, .high = 3, .generated = false}), "reduce_rows"))
        << info(kind).name << " of " << name(elem) << " and " << name(second);
  };
  for (const OpInfo& row : opTable()) {
    // The reference has no error function of integers.
    if (!row.is(traits::Elementwise) || row.kind == OpKind::Where || row.kind == OpKind::Cast ||
        row.kind == OpKind::Erf)
      continue;
    for (const ElemType elem : kElems)
      for (const ElemType second : kElems)
        if (elem == second || row.kind == OpKind::Pow) expectAlone(row.kind, elem, second);
  }
  EXPECT_GE(count, 20);
}

TEST(Pointwise, LengthsAroundTheVector) {
  for (const ElemType elem : {ElemType::F32, ElemType::I8, ElemType::F64})
    for (const int64_t n :
         {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 65, 127, 129, 4099, 20011})
      expectCompiledAgrees([&](GraphBuilder& g) { return apply(g, OpKind::Sub, elem, {{n}}, {}); },
                           {.tolerance = {0, 0}, .low = -9, .high = 9});
}

Shape broadcastable(Sizes& sizes, const Shape& whole) {
  Shape shape = whole;
  for (int64_t& size : shape)
    if (sizes.between(0, 2) == 0) size = 1;
  const int64_t dropped = sizes.between(0, 3) == 0 ? sizes.between(0, std::ssize(shape)) : 0;
  shape.erase(shape.begin(), shape.begin() + dropped);
  return shape;
}

TEST(Pointwise, AnyBroadcast) {
  Sizes sizes(61);
  for (const OpKind kind : {OpKind::Sub, OpKind::Where, OpKind::Max, OpKind::Less})
    for (int round = 0; round < rounds(16); ++round) {
      Shape whole;
      for (int64_t i = 0, rank = sizes.between(1, 5); i < rank; ++i)
        whole.push_back(sizes.oneOf<int64_t>({1, 2, 3, 5, 8, 17}));
      const std::vector<Shape> shapes = {broadcastable(sizes, whole), broadcastable(sizes, whole),
                                         broadcastable(sizes, whole)};
      expectCompiledAgrees(
          [&](GraphBuilder& g) { return apply(g, kind, ElemType::F32, shapes, {}); });
    }
}

TEST(Pointwise, ChainsOfManySteps) {
  expectCompiledAgrees([](GraphBuilder& g) {
    Value* x = g.input("x", f32({3, 50}));
    for (int i = 0; i < 20; ++i) {
      x = g.op(OpKind::Add, "", {x, g.input("y", f32({50}))});
      x = g.op(i % 2 ? OpKind::Tanh : OpKind::Abs, "", {x});
    }
    return x;
  });
}

TEST(Pointwise, AttributesOtherThanTheDefault) {
  const std::pair<OpKind, AttrMap> cases[] = {
      {OpKind::LeakyRelu, {{"alpha", 0.5f}}},
      {OpKind::Elu, {{"alpha", 2.0f}}},
      {OpKind::Celu, {{"alpha", 3.0f}}},
      {OpKind::Celu, {{"alpha", -2.0f}}},
      {OpKind::Celu, {{"alpha", -0.125f}}},
      {OpKind::Selu, {{"alpha", 2.0f}, {"gamma", 3.0f}}},
      {OpKind::HardSigmoid, {{"alpha", 0.5f}, {"beta", 0.25f}}},
      {OpKind::Shrink, {{"bias", 0.25f}, {"lambd", 1.5f}}},
      {OpKind::ThresholdedRelu, {{"alpha", 2.0f}}},
      {OpKind::Swish, {{"alpha", 1.7f}}},
      {OpKind::Gelu, {{"approximate", std::string("tanh")}}},
      {OpKind::Mod, {{"fmod", int64_t{1}}}},
      {OpKind::IsInf, {{"detect_negative", int64_t{0}}}},
  };
  for (const auto& [kind, attrs] : cases)
    expectCompiledAgrees(
        [&](GraphBuilder& g) { return apply(g, kind, ElemType::F32, {{77}}, attrs); },
        {.low = -5, .high = 5});
  expectCompiledAgrees(
      [](GraphBuilder& g) {
        return apply(g, OpKind::BitShift, ElemType::U32, {{77}},
                     {{"direction", std::string("RIGHT")}});
      },
      {.tolerance = {0, 0}, .low = 0, .high = 9});
}

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
const std::vector<double> kSpecial = {kNan, kInf, -kInf, 0.0,  -0.0,  0.5,   -0.5,  1.5, -1.5,
                                      2.5,  -2.5, 1,     -1,   20,    -20,   88,    -88, 110,
                                      -110, 1e6,  -1e6,  3e38, -3e38, 1e-30, -1e-30};

std::vector<std::vector<double>> singles() {
  std::vector<std::vector<double>> all;
  for (const double x : kSpecial) all.push_back({x});
  return all;
}

std::vector<std::vector<double>> pairs() {
  std::vector<std::vector<double>> all;
  for (const double x : kSpecial)
    for (const double y : kSpecial) all.push_back({x, y});
  return all;
}

TEST(Pointwise, SpecialNumbersOfOneOperand) {
  for (const OpInfo& row : opTable()) {
    if (!row.is(traits::Elementwise) || row.operands.size() != 1 || row.isVariadic()) continue;
    if (row.kind == OpKind::Cast) continue;
    for (const ElemType elem : {ElemType::F32, ElemType::F64}) {
      if (!isGenerated(row.kind, elem)) continue;
      SCOPED_TRACE(row.name);
      const Range range = rangeOf(row.kind, elem);
      expectCompiledAgrees(
          [&](GraphBuilder& g) { return apply(g, row.kind, elem, {{9}}, attrsOf(row.kind)); },
          {.low = range.low, .high = range.high, .fills = singles()});
    }
  }
}

TEST(Pointwise, SpecialNumbersOfTwoOperands) {
  for (const OpKind kind : {OpKind::Add, OpKind::Sub, OpKind::Mul, OpKind::Div, OpKind::Pow,
                            OpKind::Max, OpKind::Min, OpKind::PRelu, OpKind::Equal, OpKind::Less,
                            OpKind::LessOrEqual, OpKind::Greater, OpKind::GreaterOrEqual})
    for (const ElemType elem : {ElemType::F32, ElemType::F64}) {
      SCOPED_TRACE(info(kind).name);
      const Range range = rangeOf(kind, elem);
      expectCompiledAgrees([&](GraphBuilder& g) { return apply(g, kind, elem, {{9}}, {}); },
                           {.low = range.low, .high = range.high, .fills = pairs()});
    }
}

TEST(Pointwise, ClipsWithInfiniteAndCrossedBounds) {
  for (const auto& [low, high] : std::initializer_list<std::pair<float, float>>{
           {-1, 1}, {-INFINITY, 0}, {0, INFINITY}, {2, 1}})
    expectCompiledAgrees(
        [&](GraphBuilder& g) { return g.clip("clip", g.input("x", f32({40})), low, high); },
        {.fills = singles()});
}

/// Between all types for which it is defined: floats to integers is the reference's.
TEST(Pointwise, EveryConversion) {
  int count = 0;
  for (const ElemType from : kElems)
    for (const ElemType to : kElems) {
      const AttrMap attrs = {{"to", to}};
      if (from == to || !lower::elementwiseRefusal(OpKind::Cast, attrs, {&from, 1}).empty())
        continue;
      ++count;
      const Range range = rangeOf(OpKind::Cast, from);
      const bool wraps = isInteger(from) && isInteger(to);
      const auto algorithms = expectCompiledAgrees(
          [&](GraphBuilder& g) {
            return g.op(OpKind::Cast, "cast", {g.input("x", {from, {67}, {}})}, attrs);
          },
          {.tolerance = {0, 0},
           .low = wraps && !isUnsigned(from) ? -120 : range.low,
           .high = wraps ? 120 : range.high});
      EXPECT_TRUE(uses(algorithms, "pointwise")) << name(from) << " to " << name(to);
    }
  EXPECT_GE(count, 100);
}

} // namespace
} // namespace enfold
