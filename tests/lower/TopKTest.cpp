// topk, running sums and products against the reference.
#include "Differential.h"

#include <gtest/gtest.h>

namespace enfold {
namespace {

constexpr ElemType kElems[] = {ElemType::F32, ElemType::F64, ElemType::F16, ElemType::I8,
                               ElemType::I32, ElemType::U32, ElemType::I64, ElemType::U8};

double lowest(ElemType elem, double low) {
  return info(elem).cls == ElemClass::Unsigned ? 0.0 : low;
}

TEST(TopK, EveryAxisTypeAndCount) {
  Sizes sizes(61);
  for (uint64_t round = 0; round < rounds<uint64_t>(80); ++round) {
    const ElemType elem = kElems[round % std::size(kElems)];
    const Shape x = {sizes.between(1, 4), sizes.between(1, 40), sizes.between(1, 40)};
    const int64_t axis = sizes.between(-3, 2);
    const int64_t n = x[static_cast<size_t>(axis < 0 ? axis + 3 : axis)];
    const int64_t k = sizes.between(1, n);
    const size_t result = round / 8 % 2;
    // Few different numbers: equal ones keep their order.
    const auto algorithms = expectCompiledAgrees(
        [&](GraphBuilder& g) {
          return g.ops(
              OpKind::TopK, "topk",
              {g.input("x", {elem, x, {}}), g.constant("k", Tensor::of<int64_t>({1}, {k}))},
              {{"axis", axis}, {"largest", sizes.between(0, 1)}}, 2)[result];
        },
        {.tolerance = {0, 0}, .low = lowest(elem, -6), .high = 6, .seed = round});
    EXPECT_EQ(algorithms[0].rfind("topk", 0), 0U);
  }
}

TEST(TopK, LongLines) {
  for (const int64_t n : {1000, 4099})
    for (const size_t result : {0, 1})
      expectCompiledAgrees(
          [&](GraphBuilder& g) {
            return g.ops(
                OpKind::TopK, "topk",
                {g.input("x", f32({3, n})), g.constant("k", Tensor::of<int64_t>({1}, {5}))}, {},
                2)[result];
          },
          {.tolerance = {0, 0}, .low = -1000, .high = 1000});
}

TEST(Scan, EveryAxisDirectionAndType) {
  Sizes sizes(62);
  for (uint64_t round = 0; round < rounds<uint64_t>(60); ++round) {
    const ElemType elem = kElems[round % std::size(kElems)];
    const Shape x = {sizes.between(1, 5), sizes.between(1, 21), sizes.between(1, 40)};
    const auto axis = Tensor::of<int64_t>({}, {sizes.between(-3, 2)});
    const auto algorithms = expectCompiledAgrees(
        [&](GraphBuilder& g) {
          return g.op(round % 3 ? OpKind::CumSum : OpKind::CumProd, "scan",
                      {g.input("x", {elem, x, {}}), g.constant("axis", axis)},
                      {{"exclusive", sizes.between(0, 1)}, {"reverse", sizes.between(0, 1)}});
        },
        {.tolerance = {.rtol = elem == ElemType::F16 ? 2e-3 : 1e-5,
                       .atol = elem == ElemType::F16 ? 1e-2 : 1e-5},
         .low = lowest(elem, -1.5),
         .high = 1.5,
         .seed = round});
    EXPECT_EQ(algorithms, std::vector<std::string>{"scan"});
  }
}

} // namespace
} // namespace enfold
