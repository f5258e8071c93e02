// argmax and argmin against the reference.
#include "Differential.h"

#include <gtest/gtest.h>

#include <limits>

namespace enfold {
namespace {

Value* argReduce(GraphBuilder& g, OpKind kind, Value* x, int64_t axis, bool keeps, bool last) {
  return g.op(kind, "arg", {x},
              {{"axis", axis}, {"keepdims", int64_t{keeps}}, {"select_last_index", int64_t{last}}});
}

TEST(ArgReduce, EveryAxisTypeAndTieRule) {
  constexpr ElemType kElems[] = {ElemType::F32, ElemType::F64, ElemType::F16, ElemType::BF16,
                                 ElemType::I8,  ElemType::U8,  ElemType::I16, ElemType::I32,
                                 ElemType::U32, ElemType::I64, ElemType::U64};
  Sizes sizes(21);
  for (const ElemType elem : kElems)
    for (const OpKind kind : {OpKind::ArgMax, OpKind::ArgMin})
      for (int64_t axis = -3; axis < 3; ++axis) {
        const Shape shape = {sizes.between(1, 7), sizes.between(1, 40), sizes.between(1, 40)};
        const bool keeps = sizes.between(0, 1), last = sizes.between(0, 1);
        // Few different numbers, so that most rows have ties.
        const auto algorithms = expectCompiledAgrees(
            [&](GraphBuilder& g) {
              return argReduce(g, kind, g.input("x", {elem, shape, {}}), axis, keeps, last);
            },
            {.tolerance = {0, 0},
             .low = info(elem).cls == ElemClass::Unsigned ? 0.0 : -4.0,
             .high = 4,
             .seed = static_cast<uint64_t>(sizes.between(1, 1000))});
        ASSERT_EQ(algorithms.size(), 1U);
        EXPECT_EQ(algorithms[0].rfind("arg_reduce", 0), 0U);
      }
}

TEST(ArgReduce, RemaindersOfVectors) {
  for (const int64_t n : {1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 65, 1000, 4099})
    for (const int64_t axis : {0, 1})
      for (const bool last : {false, true})
        expectCompiledAgrees(
            [&](GraphBuilder& g) {
              const Shape shape = axis ? Shape{3, n} : Shape{n, 5};
              return argReduce(g, OpKind::ArgMax, g.input("x", f32(shape)), axis, false, last);
            },
            {.tolerance = {0, 0}, .low = -1000, .high = 1000});
}

TEST(ArgReduce, ZerosOfBothSignsAreEqualAndNanWins) {
  const float nan = std::numeric_limits<float>::quiet_NaN(),
              infinity = std::numeric_limits<float>::infinity();
  const std::vector<std::vector<float>> rows = {{-0.0f, 0.0f, -0.0f},
                                                {0.0f, -0.0f, 0.0f},
                                                {-infinity, 1, infinity},
                                                {infinity, nan, infinity},
                                                {-infinity, -infinity, -infinity},
                                                {nan, nan, 1},
                                                {-1, -nan, 1}};
  for (const OpKind kind : {OpKind::ArgMax, OpKind::ArgMin})
    for (const auto& row : rows)
      for (const int64_t axis : {0, 1}) {
        // Repeated behind itself, so that vectors and the rest both meet every case.
        std::vector<float> numbers;
        for (int i = 0; i < 7; ++i) numbers.insert(numbers.end(), row.begin(), row.end());
        const auto n = static_cast<int64_t>(numbers.size());
        const std::span<const float> span(numbers);
        const Shape shape = axis ? Shape{1, n} : Shape{n, 1};
        expectCompiledAgrees(
            [&](GraphBuilder& g) {
              // Not known at compile time: a constant plus an input of zeros.
              Value* x = g.op(OpKind::Add, "add",
                              {g.constant("c", Tensor::of(shape, span)), g.input("x", f32(shape))});
              return argReduce(g, kind, x, axis, true, false);
            },
            {.tolerance = {0, 0}, .low = 0, .high = 0});
      }
}

} // namespace
} // namespace enfold
