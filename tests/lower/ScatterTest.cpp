// Scattering by computed indices, with and without reduction, against the reference.
#include "Differential.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace enfold {
namespace {

constexpr ElemType kElems[] = {ElemType::F32, ElemType::F64, ElemType::I32, ElemType::I64};
constexpr const char* kReductions[] = {"none", "add", "mul", "max", "min"};

/// Small integers, so that products of many updates stay exact in every type.
DifferentialOptions exact(uint64_t seed) {
  return {.tolerance = {.rtol = 1e-5, .atol = 0}, .low = -3, .high = 3, .seed = seed};
}

TEST(ScatterElements, EveryAxisReductionAndType) {
  Sizes sizes(51);
  for (uint64_t round = 0; round < rounds<uint64_t>(60); ++round) {
    const ElemType elem = kElems[round % std::size(kElems)];
    const std::string reduction = kReductions[round % std::size(kReductions)];
    const ElemType index = sizes.oneOf({ElemType::I32, ElemType::I64});
    Shape x;
    for (int64_t i = sizes.between(1, 4); i > 0; --i) x.push_back(sizes.between(1, 13));
    const auto rank = static_cast<int64_t>(x.size());
    const int64_t axis = sizes.between(0, rank - 1), size = x[static_cast<size_t>(axis)];
    Shape i = x;
    for (int64_t& part : i) part = sizes.between(1, part);
    i[static_cast<size_t>(axis)] = sizes.between(1, 20); // more updates than places: some meet
    // Which of several plain updates stays is the last: the reference's order.
    const auto algorithms = expectCompiledAgrees(
        [&](GraphBuilder& g) {
          return g.op(
              OpKind::ScatterElements, "scatter",
              {g.input("x", {elem, x, {}}), indices(g, index, i, -size, size - 1),
               g.input("u", {elem, i, {}})},
              {{"axis", sizes.between(0, 1) ? axis : axis - rank}, {"reduction", reduction}});
        },
        exact(round));
    EXPECT_TRUE(uses(algorithms, "scatter_elements"));
  }
}

TEST(ScatterND, EveryDepthReductionAndType) {
  Sizes sizes(52);
  for (uint64_t round = 0; round < rounds<uint64_t>(60); ++round) {
    const ElemType elem = kElems[round % std::size(kElems)];
    const std::string reduction = kReductions[round % std::size(kReductions)];
    Shape x;
    for (int64_t i = sizes.between(1, 4); i > 0; --i) x.push_back(sizes.between(1, 19));
    const int64_t depth = sizes.between(1, static_cast<int64_t>(x.size()));
    Shape i = {sizes.between(1, 9), depth};
    if (sizes.between(0, 1)) i.insert(i.begin(), sizes.between(1, 4));
    Shape updates(i.begin(), i.end() - 1);
    updates.insert(updates.end(), x.begin() + depth, x.end());
    const int64_t least = *std::min_element(x.begin(), x.begin() + depth);
    const auto algorithms = expectCompiledAgrees(
        [&](GraphBuilder& g) {
          return g.op(OpKind::ScatterND, "scatter",
                      {g.input("x", {elem, x, {}}), indices(g, ElemType::I64, i, -least, least - 1),
                       g.input("u", {elem, updates, {}})},
                      {{"reduction", reduction}});
        },
        exact(round));
    EXPECT_TRUE(uses(algorithms, "scatter_nd"));
  }
}

TEST(ScatterND, LongRowsAreShared) {
  expectCompiledAgrees(
      [](GraphBuilder& g) {
        return g.op(OpKind::ScatterND, "scatter",
                    {g.input("x", f32({7, 30011})), indices(g, ElemType::I64, {20, 1}, -7, 6),
                     g.input("u", f32({20, 30011}))},
                    {{"reduction", std::string("add")}});
      },
      {.tolerance = {.rtol = 1e-5, .atol = 1e-5}});
}

} // namespace
} // namespace enfold
