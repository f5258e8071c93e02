// Pools of channel-blocked tensors against the reference.
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
  EXPECT_TRUE(uses(algorithms, "pool_blocked"));
}

TEST(BlockedPool, AnyWindowOfEveryRank) {
  Sizes sizes(31);
  for (const OpKind kind : {OpKind::MaxPool, OpKind::AveragePool})
    for (const int64_t rank : {1, 2, 3})
      for (int round = 0; round < 12; ++round)
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

} // namespace
} // namespace enfold
