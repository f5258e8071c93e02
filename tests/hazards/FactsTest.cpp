// What passes assume of values, tried to be broken: a relu that vanishes because nothing in front
// of it is negative, and zeros that become the padding of a maximum.
#include "passes/Match.h"
#include "reference/Reference.h"
#include "tests/hazards/Harness.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

namespace enfold::hazards {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr ElemType kElems[] = {ElemType::F32,  ElemType::F64, ElemType::F16,
                               ElemType::BF16, ElemType::I8,  ElemType::I32,
                               ElemType::I64,  ElemType::U8,  ElemType::U32};

/// Numbers of the type at which functions tend to break, as an image of one channel. Denormal ones
/// are not among them: kernels take them for zeros.
Tensor hardNumbers(ElemType elem) {
  std::vector<double> values = {0, 1, 2, 3, 7, 100, 127};
  if (info(elem).cls != ElemClass::Unsigned) values.insert(values.end(), {-1, -2, -3, -7, -100});
  if (isFloat(elem))
    values.insert(values.end(), {-0.0,   0.5,  -0.5,  1e-3, -1e-3, 1e-30,     -1e-30,     2e-38,
                                 -2e-38, 88,   -88,   104,  -104,  710,       -710,       6e4,
                                 -6e4,   1e30, -1e30, 3e38, -3e38, kInfinity, -kInfinity, NAN});
  const auto least = static_cast<int64_t>(values.size());
  while (values.size() < 36) values.push_back(0);
  Tensor tensor = numbers(elem, {1, 1, 6, 6}, values);
  if (info(elem).cls != ElemClass::Signed) return tensor;
  // The least number and its neighbours, in bits: doubles do not hold those of 64.
  const size_t size = byteSize(elem);
  for (int64_t i = 0; i < 3; ++i) {
    std::byte* to = tensor.mutableBytes() + static_cast<size_t>(least + i) * size;
    to[size - 1] = std::byte{0x80};
    to[0] |= static_cast<std::byte>(i);
  }
  return tensor;
}

Value* ints(Net& net, const std::vector<int64_t>& values) {
  return net.constant(
      Tensor::of({static_cast<int64_t>(values.size())}, std::span<const int64_t>(values)));
}

using Build = std::function<Value*(Net&, Value*)>;

/// relu(f(x)) and a maximum over f(x) padded with zeros are what the reference says, and whatever
/// isNonNegative() says of f(x) holds.
void tryToBreak(ElemType elem, const Build& build) {
  const Tensor x = hardNumbers(elem);
  {
    Net net(elem);
    Value* y = build(net, net.input(x.shape()));
    net.output(y);
    const bool claimed = isNonNegative(y);
    const auto results = reference::run(net.graph(), std::vector{x});
    ASSERT_TRUE(results) << results.error().str();
    for (int64_t i = 0; claimed && i < x.numElements(); ++i)
      EXPECT_FALSE((*results)[0].asDouble(i) < 0)
          << "of " << x.asDouble(i) << ": " << (*results)[0].asDouble(i);
  }
  Net relu(elem);
  relu.output(relu.op(OpKind::Relu, "relu", {build(relu, relu.input(x.shape()))}));
  check(relu.finish(), {}, {x});
  if (!isFloat(elem)) return;
  Net pool(elem);
  Value* padded =
      pool.op(OpKind::Pad, "pad",
              {build(pool, pool.input(x.shape())), ints(pool, {0, 0, 1, 1, 0, 0, 1, 1})});
  pool.output(
      pool.op(OpKind::MaxPool, "pool", {padded}, {{"kernel_shape", std::vector<int64_t>{2, 2}}}));
  check(pool.finish(), {}, {x});
}

TEST(Facts, FunctionsThatAreNeverNegative) {
  int claimed = 0;
  for (const OpInfo& row : opTable()) {
    const bool isFunction = row.is(traits::Elementwise) && row.operands.size() == 1 &&
                            row.infer == opTable()[static_cast<size_t>(OpKind::Relu)].infer;
    if (!isFunction) continue;
    for (const ElemType elem : kElems) {
      Graph graph;
      Value* x = graph.addInput("x", {elem, {1}, {}});
      const auto made = graph.create({.kind = row.kind, .operands = {x}});
      if (!made) continue; // not defined for the type
      SCOPED_TRACE(fmt::format("{} of {}", row.name, name(elem)));
      claimed += isNonNegative((*made)->result());
      // Whoever claims nothing is compared too: the claim may be made elsewhere.
      const bool exact = isNonNegative((*made)->result()) || row.kind == OpKind::Neg ||
                         row.kind == OpKind::Sign || row.kind == OpKind::Abs;
      if (exact) tryToBreak(elem, [&](Net& net, Value* v) { return net.op(row.kind, "f", {v}); });
    }
  }
  EXPECT_GE(claimed, 6 * 4);
}

TEST(Facts, ClipsWhoseBoundsAreOutOfOrder) {
  const double nothing = 12345; // for no bound at all
  for (const ElemType elem : {ElemType::F32, ElemType::I8, ElemType::U8}) {
    std::vector<double> bounds = {nothing, 0, 6};
    if (elem != ElemType::U8) bounds.push_back(-1);
    if (isFloat(elem)) bounds.insert(bounds.end(), {-0.0, kInfinity, -kInfinity});
    for (const double low : bounds)
      for (const double high : bounds) {
        SCOPED_TRACE(fmt::format("{} from {} to {}", name(elem), low, high));
        tryToBreak(elem, [&](Net& net, Value* x) {
          const auto bound = [&](double number) {
            return number == nothing ? nullptr : net.constant(numbers(elem, {}, {number}));
          };
          std::vector<Value*> operands = {x, bound(low), bound(high)};
          while (!operands.back()) operands.pop_back();
          return net.op(OpKind::Clip, "clip", operands);
        });
      }
  }
}

TEST(Facts, AnEpilogueEndsWithWhatItsLastStepGives) {
  Graph graph;
  Value* x = graph.addInput("x", {ElemType::I8, {4}, {}});
  Value* k = graph.constant(numbers(ElemType::I8, {}, {-1}), "k");
  Value* six = graph.constant(numbers(ElemType::I8, {}, {6}), "six");
  constexpr int kAcc = EpilogueStep::kAccumulator;
  const auto ends = [&](EpilogueStep step) {
    return isNonNegative((*graph.create({.kind = OpKind::Relu,
                                         .operands = {x},
                                         .epilogue = {std::move(step)},
                                         .epilogueOperands = {k, six}}))
                             ->result());
  };
  EXPECT_TRUE(ends({OpKind::Relu, {}, {kAcc}}));
  EXPECT_FALSE(ends({OpKind::Neg, {}, {kAcc}}));
  EXPECT_FALSE(ends({OpKind::Abs, {}, {kAcc}}));        // of -128
  EXPECT_FALSE(ends({OpKind::Clip, {}, {kAcc, 2, 1}})); // from 6 to -1
  EXPECT_FALSE(ends({OpKind::Clip, {}, {kAcc, 1, 2}})); // from -1 to 6
  EXPECT_TRUE(ends({OpKind::Clip, {}, {kAcc, 2}}));     // from 6
  EXPECT_FALSE(ends({OpKind::Clip, {}, {kAcc, EpilogueStep::kAbsent, 2}}));
}

TEST(Facts, SumsWithNothingKeepTheSignOfZero) {
  for (const OpKind kind : {OpKind::Add, OpKind::Sub})
    for (const double first : {0.0, -0.0})
      for (const double second : {0.0, -0.0}) {
        Net net;
        const Tensor x = numbers(ElemType::F32, {2}, {-0.0, -0.0});
        Value* sum = net.op(kind, "sum",
                            {net.input({2}), //
                             net.constant(numbers(ElemType::F32, {2}, {first, second}))});
        net.output(net.op(OpKind::Reciprocal, "inverse", {sum}));
        check(net.finish(), {}, {x});
      }
}

} // namespace
} // namespace enfold::hazards
