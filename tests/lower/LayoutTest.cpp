// Where channel-blocked and plain tensors meet: reorders, and ops that move or broadcast blocks.
#include "Window.h"
#include "ir/Parser.h"
#include "lower/Families.h"
#include "lower/Layouts.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace enfold {
namespace {

Value* ints(GraphBuilder& g, const char* name, const std::vector<int64_t>& values) {
  return g.constant(name, Tensor::of<int64_t>({static_cast<int64_t>(values.size())}, values));
}

/// Reads a blocked tensor blocked.
Value* conv3x3(GraphBuilder& g, Value* x, int64_t channels) {
  return g.op(OpKind::Conv, "conv3x3",
              {x, g.uniform("conv3x3.weight", {channels, x->shape()[1], 3, 3}, -0.3, 0.3)},
              {{"pads", std::vector<int64_t>{1, 1, 1, 1}}});
}

TEST(Layout, ReordersOfEveryCountOfChannels) {
  for (const int64_t channels : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 24, 33})
    for (const Shape& image : {Shape{1, 1}, Shape{3, 5}, Shape{2, 16}}) {
      const auto algorithms = expectCompiledAgrees(
          [&](GraphBuilder& g) { return blockedInput(g, 2, channels, image); });
      EXPECT_TRUE(uses(algorithms, "conv_direct"));
      // Whole blocks of one pixel are in order as they are.
      EXPECT_TRUE(uses(algorithms, "strided_copy") || image == Shape({1, 1}));
    }
}

TEST(Layout, ReordersOfOtherRanks) {
  for (const Shape& image : {Shape{13}, Shape{2, 3, 4}})
    for (const int64_t channels : {6, 19})
      expectCompiledAgrees([&](GraphBuilder& g) {
        Shape weight = {channels, channels};
        weight.insert(weight.end(), image.size(), 1);
        Value* x = blockedInput(g, 2, channels, image);
        Value* y = g.op(OpKind::Softmax, "softmax", {x}, {{"axis", int64_t{1}}});
        return g.op(OpKind::Conv, "conv", {y, g.uniform("weight", weight, -0.5, 0.5)});
      });
}

TEST(Layout, ConcatsOfWholeAndRaggedBlocks) {
  for (const std::vector<int64_t>& parts :
       {std::vector<int64_t>{16, 16}, {16, 5}, {5, 16}, {3, 3, 3}, {32, 16, 9}, {1, 1}})
    for (const int64_t axis : {0, 1, 2})
      expectCompiledAgrees([&](GraphBuilder& g) {
        std::vector<Value*> values;
        for (const int64_t part : parts) {
          const Shape image = {axis == 2 ? part : 5, 4};
          values.push_back(blockedInput(g, axis == 0 ? part : 2, axis == 1 ? part : 17, image));
        }
        return conv3x3(g, g.op(OpKind::Relu, "relu", {g.concat(values, axis)}), 6);
      });
}

TEST(Layout, SplitsAndSlicesOfChannels) {
  for (const std::vector<int64_t>& parts :
       {std::vector<int64_t>{16, 16}, {16, 5}, {5, 16}, {3, 3, 3}, {32, 16, 9}})
    expectCompiledAgrees([&](GraphBuilder& g) {
      int64_t channels = 0;
      for (const int64_t part : parts) channels += part;
      Value* x = blockedInput(g, 2, channels, {4, 5});
      const auto pieces = g.ops(OpKind::Split, "split", {x, ints(g, "sizes", parts)},
                                {{"axis", int64_t{1}}}, parts.size());
      Value* sum = conv3x3(g, pieces[0], 4);
      for (size_t i = 1; i < pieces.size(); ++i)
        sum = g.op(OpKind::Add, "", {sum, conv3x3(g, pieces[i], 4)});
      return sum;
    });
  for (const auto& [begin, end] : std::initializer_list<std::pair<int64_t, int64_t>>{
           {0, 16}, {16, 32}, {16, 40}, {3, 19}, {32, 33}, {8, 24}})
    for (const int64_t axis : {1, 3})
      expectCompiledAgrees([&](GraphBuilder& g) {
        Value* x = blockedInput(g, 2, 40, {3, 40});
        Value* part =
            g.op(OpKind::Slice, "slice",
                 {x, ints(g, "starts", {begin}), ints(g, "ends", {end}), ints(g, "axes", {axis})});
        return conv3x3(g, part, 5);
      });
}

TEST(Layout, BroadcastsOntoBlocks) {
  for (const int64_t channels : {8, 19})
    for (const Shape& shape : {Shape{2, channels, 1, 1}, Shape{channels, 1, 1}, Shape{1, 1, 4, 6},
                               Shape{4, 6}, Shape{6}, Shape{2, 1, 1, 1}, Shape{2, 1, 4, 6},
                               Shape{1, channels, 4, 6}, Shape{channels, 1, 6}, Shape{1}, Shape{}})
      expectCompiledAgrees([&](GraphBuilder& g) {
        Value* x = blockedInput(g, 2, channels, {4, 6});
        Value* y = g.op(OpKind::Sub, "sub", {g.input("y", f32(shape)), x});
        // Read twice, so that it is not fused.
        return g.op(OpKind::Add, "add", {g.op(OpKind::Tanh, "tanh", {y}), conv3x3(g, y, channels)});
      });
}

TEST(Layout, BlocksOfOneAndOfManyImages) {
  expectCompiledAgrees([](GraphBuilder& g) {
    Value* x = blockedInput(g, 3, 24, {6, 6});
    Value* pooled = g.op(OpKind::GlobalAveragePool, "squeeze", {x});
    Value* gate = g.op(OpKind::Conv, "excite", {pooled, g.uniform("w", {24, 24, 1, 1}, -1, 1)});
    return conv3x3(g, g.op(OpKind::Mul, "mul", {x, g.op(OpKind::Sigmoid, "gate", {gate})}), 7);
  });
}

TEST(Layout, HeadsBehindConvolutions) {
  const auto head = [](GraphBuilder& g) { return blockedInput(g, 2, 19, {3, 4}); };
  expectCompiledAgrees([&](GraphBuilder& g) {
    Value* flat = g.op(OpKind::Flatten, "flatten", {head(g)});
    return g.op(OpKind::Gemm, "fc", {flat, g.uniform("w", {19 * 12, 10}, -0.2, 0.2)});
  });
  expectCompiledAgrees(
      [&](GraphBuilder& g) { return g.reshape(g.transpose(head(g), {0, 2, 3, 1}), {2, 12, 19}); });
  expectCompiledAgrees([&](GraphBuilder& g) {
    Value* shuffled = g.transpose(g.reshape(head(g), {2, 19, 2, 6}), {0, 2, 1, 3});
    return g.op(OpKind::ReduceMax, "max", {shuffled, ints(g, "axes", {-1})});
  });
  expectCompiledAgrees([&](GraphBuilder& g) {
    Value* x = head(g);
    Value* zero = g.constant("zero", Tensor::scalar(0.0f));
    Value* where = g.op(OpKind::Greater, "greater", {x, zero});
    return g.op(OpKind::Where, "where", {where, x, g.op(OpKind::Neg, "neg", {x})});
  });
}

// With vectors of 64 bytes, values of 8 and of 24 channels come in narrower blocks than those
// of 16.
TEST(Layout, NetworksOfFewChannels) {
  for (const int64_t first : {3, 8, 16, 20, 24})
    for (const int64_t second : {1, 8, 12, 16, 24, 40})
      expectCompiledAgrees([&](GraphBuilder& g) {
        Value* x = conv3x3(g, blockedInput(g, 2, first, {9, 11}), second);
        x = g.op(OpKind::Relu, "relu", {x});
        x = g.op(OpKind::Conv, "depthwise", {x, g.uniform("dw", {second, 1, 3, 3}, -0.5, 0.5)},
                 {{"group", second}, {"strides", std::vector<int64_t>{2, 2}}});
        Value* up = g.op(OpKind::ConvTranspose, "up",
                         {x, g.uniform("up.w", {second, first, 2, 2}, -0.5, 0.5)},
                         {{"strides", std::vector<int64_t>{2, 2}}});
        Value* pooled =
            g.op(OpKind::MaxPool, "pool", {up}, {{"kernel_shape", std::vector<int64_t>{2, 2}}});
        Value* back = conv3x3(g, pooled, first);
        return g.op(OpKind::Add, "sum", {back, g.op(OpKind::Sigmoid, "gate", {pooled})});
      });
}

TEST(Layout, BlocksOfSeveralSizesMeet) {
  for (const std::vector<int64_t>& parts :
       {std::vector<int64_t>{8, 16}, {16, 8}, {24, 24}, {8, 8, 16}, {24, 16}, {8, 3, 16}, {16, 24}})
    for (const bool pointwise : {false, true})
      expectCompiledAgrees([&](GraphBuilder& g) {
        std::vector<Value*> values;
        for (const int64_t part : parts) values.push_back(blockedInput(g, 2, part, {5, 7}));
        Value* joint = g.concat(values, 1);
        const int64_t channels = joint->shape()[1];
        if (pointwise) joint = g.op(OpKind::Add, "add", {joint, conv3x3(g, values[0], channels)});
        return conv3x3(g, joint, 8);
      });
}

TEST(Layout, GroupsInNarrowBlocks) {
  for (const int64_t channels : {8, 24, 40})
    for (const int64_t width : {1, 2, 4, 8})
      expectCompiledAgrees([&](GraphBuilder& g) {
        Value* x = blockedInput(g, 1, channels, {6, 9});
        Value* y =
            g.op(OpKind::Conv, "grouped", {x, g.uniform("w", {channels, width, 3, 3}, -0.5, 0.5)},
                 {{"group", channels / width}});
        return g.op(OpKind::Conv, "wider", {y, g.uniform("v", {2 * channels, width, 1, 1}, -1, 1)},
                    {{"group", channels / width}});
      });
}

TEST(Layout, NormalizationsAndImagesInNarrowBlocks) {
  for (const int64_t channels : {8, 24})
    expectCompiledAgrees([&](GraphBuilder& g) {
      Value* x = blockedInput(g, 2, channels, {4, 6});
      Value* one = g.uniform("scale", {channels}, 0.5, 1.5);
      Value* y = g.op(OpKind::InstanceNormalization, "norm", {x, one, one});
      y = g.op(OpKind::GroupNormalization, "groups", {y, one, one}, {{"num_groups", channels / 8}});
      y = g.op(OpKind::Pad, "pad", {y, ints(g, "pads", {0, 0, 1, 1, 0, 0, 1, 1})},
               {{"mode", std::string("reflect")}});
      y = g.op(OpKind::Resize, "resize",
               {y, nullptr, nullptr, ints(g, "sizes", {2, channels, 12, 16})},
               {{"mode", std::string("linear")}});
      return g.op(OpKind::GlobalAveragePool, "mean", {conv3x3(g, y, channels)});
    });
}

kir::Target described(std::string_view cpu, int vectorBytes) {
  kir::Target target;
  target.machine = kir::machineOf(cpu, kir::Architecture::X86_64, vectorBytes);
  return target;
}

TEST(Layout, BlocksAreNarrowWherePaddingCostsMore) {
  const auto blocks = [](const kir::Target& target) {
    std::vector<int> blocks;
    for (const int64_t channels : {3, 8, 12, 16, 17, 24, 32, 40, 48, 64, 100})
      blocks.push_back(lower::blockedFor(channels, target).block);
    return blocks;
  };
  // Two vectors of 32 bytes are as fast as one of 64 …
  EXPECT_EQ(blocks(described("znver4", 64)), (std::vector{8, 8, 16, 16, 8, 8, 16, 16, 16, 16, 16}));
  // … and here they are slower, but half of one that would be empty is left out.
  EXPECT_EQ(blocks(described("sapphirerapids", 64)),
            (std::vector{8, 8, 16, 16, 16, 16, 16, 16, 16, 16, 16}));
  EXPECT_EQ(blocks(described("znver3", 32)), std::vector(11, 8));
  EXPECT_EQ(blocks(described("neoverse-v1", 16)), std::vector(11, 4));
}

// Winograd's algorithm takes and gives blocks of one size, and saves more than narrow ones would.
TEST(Layout, ConvolutionsStayInWideBlocksForWinograd) {
  const auto blockOf = [](int64_t kernel, int64_t channels, std::string_view algorithm) {
    const auto graph = parseGraph(
        fmt::format("graph @g(%x: f32[1,64,40,40]) {{\n"
                    "  %w = const f32[{1},64,{0},{0}] random(seed=1)\n"
                    "  %b = reorder(%x) {{block=16}} : f32[1,64,40,40]{{c16}}\n"
                    "  %y = conv(%b, %w) {{{3}pads=[{2},{2},{2},{2}]}} : f32[1,{1},40,40]\n"
                    "  return %y\n}}",
                    kernel, channels, kernel / 2, algorithm));
    EXPECT_TRUE(graph) << graph.error().str();
    if (!graph) return 0;
    const Op& conv = *(*graph)->find("y")->producer();
    const OpLayouts layouts = lower::bestLayouts(conv, described("znver4", 64));
    EXPECT_EQ(layouts.data.block, 16);
    return layouts.result.block;
  };
  EXPECT_EQ(blockOf(3, 8, ""), 16);
  EXPECT_EQ(blockOf(3, 8, "algorithm=\"direct\", "), 8);
  EXPECT_EQ(blockOf(1, 8, ""), 8);
  EXPECT_EQ(blockOf(1, 24, ""), 8);
  EXPECT_EQ(blockOf(1, 32, ""), 16);
}

} // namespace
} // namespace enfold
