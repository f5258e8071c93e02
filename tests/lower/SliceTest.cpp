// Slices of plain and of channel-blocked tensors against the reference.
#include "Differential.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace enfold {
namespace {

Value* slice(GraphBuilder& g, Value* x, const std::vector<int64_t>& axes,
             const std::vector<int64_t>& starts, const std::vector<int64_t>& ends,
             const std::vector<int64_t>& steps) {
  const auto ints = [&](const char* name, const std::vector<int64_t>& values) {
    const std::span<const int64_t> span(values);
    return g.constant(name, Tensor::of({static_cast<int64_t>(values.size())}, span));
  };
  return g.op(
      OpKind::Slice, "slice",
      {x, ints("starts", starts), ints("ends", ends), ints("axes", axes), ints("steps", steps)});
}

const DifferentialOptions kExact{.tolerance = {0, 0}};

TEST(Slice, EveryAxisAndStep) {
  Sizes sizes(41);
  for (int round = 0; round < rounds(40); ++round) {
    const Shape x = {sizes.between(1, 5), sizes.between(1, 9), sizes.between(1, 40)};
    std::vector<int64_t> axes, starts, ends, steps;
    for (int64_t axis = 0; axis < 3; ++axis) {
      if (!sizes.between(0, 2)) continue;
      const int64_t size = x[static_cast<size_t>(axis)];
      const int64_t step = sizes.oneOf<int64_t>({1, 1, 2, 3, -1, -2});
      axes.push_back(axis);
      steps.push_back(step);
      starts.push_back(step > 0 ? sizes.between(-size - 2, size - 1) : sizes.between(0, size + 3));
      ends.push_back(step > 0 ? size + 5 : -size - 9);
    }
    if (axes.empty()) continue;
    expectCompiledAgrees(
        [&](GraphBuilder& g) { return slice(g, g.input("x", f32(x)), axes, starts, ends, steps); },
        kExact);
  }
}

/// Between two convolutions, which work on blocks of channels.
std::vector<std::string> slicedBlocks(const Shape& x, const std::vector<int64_t>& axes,
                                      const std::vector<int64_t>& starts,
                                      const std::vector<int64_t>& ends,
                                      const std::vector<int64_t>& steps) {
  return expectCompiledAgrees([&](GraphBuilder& g) {
    const int64_t channels = x[1];
    Value* before = g.op(OpKind::Conv, "before",
                         {g.input("x", f32(x)), g.uniform("w", {channels, channels, 1, 1}, -1, 1)});
    Value* part = slice(g, before, axes, starts, ends, steps);
    const int64_t left = part ? part->shape()[1] : 1;
    return g.op(OpKind::Conv, "after", {part, g.uniform("v", {24, left, 3, 3}, -1, 1)});
  });
}

int64_t copies(const std::vector<std::string>& algorithms) {
  return std::ranges::count(algorithms, "strided_copy");
}

TEST(Slice, BlockedTensorsStayBlocked) {
  // One copy is the slice; the others lay out the input and the output.
  const int64_t whole = copies(slicedBlocks({1, 64, 9, 9}, {2}, {0}, {9}, {1}));
  EXPECT_EQ(copies(slicedBlocks({1, 64, 9, 9}, {2, 3}, {1, 2}, {9, 8}, {1, 1})), whole + 1);
  EXPECT_EQ(copies(slicedBlocks({2, 64, 9, 9}, {2, 3}, {0, 1}, {9, 9}, {2, 1})), whole + 1);
  EXPECT_EQ(copies(slicedBlocks({2, 64, 9, 9}, {1}, {16}, {48}, {1})), whole + 1);
  // One image's channels lie in one piece: no copy at all.
  EXPECT_EQ(copies(slicedBlocks({1, 64, 9, 9}, {1}, {16}, {64}, {1})), whole);
}

TEST(Slice, BlockedTensorsOfEveryKind) {
  slicedBlocks({2, 67, 7, 8}, {1}, {32}, {67}, {1});               // up to a ragged end
  slicedBlocks({2, 64, 7, 8}, {1, 3}, {16, 7}, {53, -9}, {1, -1}); // ends inside a block
  slicedBlocks({2, 64, 7, 8}, {1}, {3}, {40}, {1});                // begins inside a block
  slicedBlocks({2, 64, 7, 8}, {1}, {0}, {64}, {2});                // every other channel
  slicedBlocks({3, 48, 7, 8}, {0}, {1}, {3}, {1});
}

} // namespace
} // namespace enfold
