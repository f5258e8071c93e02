// Pools of channel-blocked and of plain tensors against the reference.
#include "Window.h"

#include <gtest/gtest.h>

namespace enfold {
namespace {

struct PoolCase {
  OpKind kind = OpKind::MaxPool;
  int64_t batch = 1, channels = 8;
  RandomWindow window;
  bool ceil = false, includePad = false;
};

void expectPoolAgrees(const PoolCase& c) {
  const auto algorithms = expectCompiledAgrees([&](GraphBuilder& g) {
    AttrMap attrs = c.window.attrs();
    attrs["kernel_shape"] = c.window.kernel;
    if (c.ceil) attrs["ceil_mode"] = int64_t{1};
    if (c.includePad) attrs["count_include_pad"] = int64_t{1};
    return g.op(c.kind, "pool", {blockedInput(g, c.batch, c.channels, c.window.image)}, attrs);
  });
  EXPECT_TRUE(uses(algorithms, "pool_blocked") || uses(algorithms, "global_pool_blocked"));
}

TEST(BlockedPool, AnyWindowOfEveryRank) {
  Sizes sizes(31);
  for (const OpKind kind : {OpKind::MaxPool, OpKind::AveragePool})
    for (const int64_t rank : {1, 2, 3})
      for (int round = 0; round < rounds(12); ++round)
        expectPoolAgrees({.kind = kind,
                          .batch = sizes.between(1, 3),
                          .channels = sizes.between(1, 35),
                          .window = randomWindow(sizes, rank, {.side = rank == 3 ? 6 : 12}),
                          .ceil = round % 2 == 1,
                          .includePad = kind == OpKind::AveragePool && round % 4 > 1});
}

TEST(BlockedPool, EveryWidthAroundTheTile) {
  for (int64_t width = 1; width <= 15; ++width)
    for (const OpKind kind : {OpKind::MaxPool, OpKind::AveragePool})
      expectPoolAgrees({.kind = kind,
                        .channels = 9,
                        .window = {{3, 3}, {1, 2}, {1, 1}, {1, 1, 1, 1}, {3, width}},
                        .ceil = width % 2 == 0});
}

TEST(BlockedPool, MaximaOfNegativeNumbersIgnorePadding) {
  expectCompiledAgrees([](GraphBuilder& g) {
    Value* x = blockedInput(g, 1, 8, {5, 5});
    x = g.op(OpKind::Sub, "below", {x, g.constant("c", Tensor::scalar(100.0f))});
    return g.op(
        OpKind::MaxPool, "pool", {x},
        {{"kernel_shape", std::vector<int64_t>{3, 3}}, {"pads", std::vector<int64_t>{2, 2, 2, 2}}});
  });
}

TEST(Pool, RowsLieAlongAnyAxis) {
  Sizes sizes(36);
  for (const Shape& image : {Shape{29, 1}, Shape{1, 29}, Shape{9, 1, 7}, Shape{6, 1, 1}})
    for (const bool blocked : {true, false})
      for (const bool operand : {true, false})
        for (const OpKind kind : {OpKind::MaxPool, OpKind::AveragePool}) {
          Shape full = {2, 9};
          full.insert(full.end(), image.begin(), image.end());
          std::vector<int64_t> window, strides, pads(2 * image.size(), 0);
          for (size_t d = 0; d < image.size(); ++d) {
            window.push_back(image[d] == 1 ? 1 : 3);
            strides.push_back(sizes.between(1, 2));
            if (image[d] > 1) pads[d] = sizes.between(0, 2), pads[image.size() + d] = 1;
          }
          const auto algorithms = expectCompiledAgrees([&](GraphBuilder& g) {
            Value* x = blocked ? blockedInput(g, 2, 9, image) : g.input("x", f32(full));
            Value* y = g.op(kind, "pool", {x},
                            {{"kernel_shape", window}, {"strides", strides}, {"pads", pads}});
            return operand ? g.op(OpKind::Add, "add", {y, g.input("r", y->type())}) : y;
          });
          EXPECT_TRUE(uses(algorithms, blocked ? "pool_blocked" : "pool_plain"));
        }
}

TEST(BlockedPool, GlobalPools) {
  Sizes sizes(32);
  for (const OpKind kind : {OpKind::GlobalAveragePool, OpKind::GlobalMaxPool})
    for (const Shape& image : {Shape{1}, Shape{37}, Shape{1, 1}, Shape{7, 7}, Shape{5, 3},
                               Shape{2, 18}, Shape{13, 4}, Shape{2, 3, 5}}) {
      const int64_t n = sizes.between(1, 3), channels = sizes.between(1, 35);
      const auto algorithms = expectCompiledAgrees([&](GraphBuilder& g) {
        return g.op(kind, "pool", {blockedInput(g, n, channels, image)});
      });
      EXPECT_TRUE(uses(algorithms, "global_pool_blocked"));
    }
}

/// Of an input as it is given: nothing blocks its channels.
AttrMap plainPool(const RandomWindow& window, bool ceil) {
  AttrMap attrs = window.attrs();
  attrs["kernel_shape"] = window.kernel;
  if (ceil) attrs["ceil_mode"] = int64_t{1};
  return attrs;
}

Shape imagesOf(Sizes& sizes, const RandomWindow& window) {
  Shape shape = {sizes.between(1, 2), sizes.between(1, 5)};
  shape.insert(shape.end(), window.image.begin(), window.image.end());
  return shape;
}

TEST(PlainPool, AnyWindowOfEveryRankAndFloat) {
  Sizes sizes(33);
  for (int round = 0; round < rounds(120); ++round) {
    const int64_t rank = round % 3 + 1;
    const RandomWindow window = randomWindow(sizes, rank, {.side = rank == 3 ? 6 : 30});
    const ElemType elem =
        sizes.oneOf({ElemType::F32, ElemType::F32, ElemType::F64, ElemType::F16, ElemType::BF16});
    const OpKind kind = sizes.oneOf({OpKind::MaxPool, OpKind::AveragePool, OpKind::LpPool});
    AttrMap attrs = plainPool(window, round % 2 == 1);
    if (kind == OpKind::AveragePool) attrs["count_include_pad"] = sizes.between(0, 1);
    if (kind == OpKind::LpPool) attrs["p"] = sizes.between(1, 3);
    const Shape shape = imagesOf(sizes, window);
    const auto algorithms = expectCompiledAgrees(
        [&](GraphBuilder& g) {
          Value* y = g.op(kind, "pool", {g.input("x", {elem, shape, {}})}, attrs);
          return round % 4 == 0 ? g.op(OpKind::Relu, "relu", {y}) : y;
        },
        {.tolerance = toleranceOf(elem), .seed = static_cast<uint64_t>(round)});
    const bool isGlobal = uses(algorithms, "reduce_rows");
    EXPECT_TRUE(isGlobal || uses(algorithms, "pool_plain")) << round;
  }
}

TEST(Pool, RoundedUpAWindowMayBeLargerThanTheImage) {
  Sizes sizes(37);
  for (const OpKind kind : {OpKind::MaxPool, OpKind::AveragePool, OpKind::LpPool})
    for (const bool blocked : {true, false})
      for (const int64_t width : {1, 2, 9}) {
        const RandomWindow window{{3, 3}, {2, 3}, {1, 1}, {0, 0, 0, 0}, {2, width}};
        AttrMap attrs = plainPool(window, true);
        if (kind == OpKind::AveragePool) attrs["count_include_pad"] = sizes.between(0, 1);
        expectCompiledAgrees([&](GraphBuilder& g) {
          Value* x =
              blocked ? blockedInput(g, 2, 11, window.image) : g.input("x", f32({2, 3, 2, width}));
          return g.op(kind, "pool", {x}, attrs);
        });
      }
}

TEST(PlainPool, MaximaOfIntegers) {
  Sizes sizes(34);
  for (const ElemType elem : {ElemType::I8, ElemType::U8, ElemType::I32, ElemType::I64})
    for (int round = 0; round < 6; ++round) {
      const RandomWindow window = randomWindow(sizes, 2);
      const Shape shape = imagesOf(sizes, window);
      expectCompiledAgrees(
          [&](GraphBuilder& g) {
            return g.op(OpKind::MaxPool, "pool", {g.input("x", {elem, shape, {}})},
                        plainPool(window, false));
          },
          {.tolerance = {0, 0}, .low = isUnsigned(elem) ? 0.0 : -100.0, .high = 100});
    }
}

TEST(PlainPool, PlacesOfMaxima) {
  Sizes sizes(35);
  for (int round = 0; round < rounds(60); ++round) {
    const int64_t rank = round % 3 + 1;
    const RandomWindow window = randomWindow(sizes, rank, {.side = rank == 3 ? 6 : 15});
    AttrMap attrs = plainPool(window, round % 2 == 1);
    attrs["storage_order"] = rank == 2 ? sizes.between(0, 1) : 0;
    const Shape shape = imagesOf(sizes, window);
    // Whole numbers: many are equal.
    for (const size_t result : {0, 1})
      expectCompiledAgrees(
          [&](GraphBuilder& g) {
            Value* x = g.op(OpKind::Round, "round", {g.input("x", f32(shape))});
            return g.ops(OpKind::MaxPool, "pool", {x}, attrs, 2)[result];
          },
          {.tolerance = {0, 0}, .seed = static_cast<uint64_t>(round)});
  }
}

TEST(PlainPool, WholeImagesAreGlobalPools) {
  for (const OpKind kind : {OpKind::MaxPool, OpKind::AveragePool}) {
    const auto algorithms = expectCompiledAgrees([&](GraphBuilder& g) {
      return g.op(kind, "pool", {g.input("x", f32({2, 3, 19, 21}))},
                  {{"kernel_shape", std::vector<int64_t>{19, 21}},
                   {"strides", std::vector<int64_t>{19, 21}}});
    });
    EXPECT_EQ(algorithms, std::vector<std::string>{"reduce_rows"});
  }
}

} // namespace
} // namespace enfold
