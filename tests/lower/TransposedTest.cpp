// Transposed convolution against the reference.
#include "Differential.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace enfold {
namespace {

struct Layer {
  int64_t batch, cin, cout, group;
  std::vector<int64_t> in, kernel, strides, dilations, pads, extra;
  bool bias, residual;
};

Value* build(GraphBuilder& g, const Layer& l, Value* x) {
  Shape weights = {l.cin, l.cout / l.group};
  weights.insert(weights.end(), l.kernel.begin(), l.kernel.end());
  std::vector<Value*> operands = {x, g.uniform("weight", weights, -0.4, 0.4)};
  if (l.bias) operands.push_back(g.uniform("bias", {l.cout}, -1, 1));
  AttrMap attrs{{"strides", l.strides}, {"dilations", l.dilations}, {"pads", l.pads}};
  attrs["output_padding"] = l.extra;
  attrs["group"] = l.group;
  Value* y = g.op(OpKind::ConvTranspose, "deconv", operands, attrs);
  if (!l.residual) return y;
  y = g.op(OpKind::Add, "add", {y, g.input("r", y->type())});
  return g.op(OpKind::Relu, "relu", {y});
}

bool isConvolution(const std::string& algorithm) {
  return algorithm.starts_with("conv_") || algorithm.starts_with("winograd");
}

/// Gives the kernel.
std::string expectLayerAgrees(const Layer& l, const DifferentialOptions& options = {}) {
  const auto algorithms = expectCompiledAgrees(
      [&](GraphBuilder& g) {
        Shape shape = {l.batch, l.cin};
        shape.insert(shape.end(), l.in.begin(), l.in.end());
        return build(g, l, g.input("x", f32(shape)));
      },
      options);
  const auto own = std::ranges::find_if(algorithms, isConvolution);
  EXPECT_NE(own, algorithms.end());
  return own == algorithms.end() ? "" : *own;
}

Layer randomLayer(Sizes& sizes, size_t rank) {
  Layer l;
  l.batch = sizes.between(1, 2);
  l.group = sizes.oneOf<int64_t>({1, 1, 1, 2, 3});
  l.cin = l.group * sizes.oneOf<int64_t>({1, 3, 4, 8, 9, 17});
  l.cout = l.group * sizes.oneOf<int64_t>({1, 3, 7, 8, 9, 16, 33});
  for (size_t i = 0; i < rank; ++i) {
    l.in.push_back(sizes.between(1, rank == 3 ? 5 : 17));
    l.kernel.push_back(sizes.between(1, 5));
    l.strides.push_back(sizes.between(1, 4));
    l.dilations.push_back(sizes.between(1, 3));
    l.extra.push_back(sizes.between(0, l.strides[i] - 1));
  }
  // The result keeps at least a pixel.
  std::vector<int64_t> end;
  for (size_t i = 0; i < rank; ++i) {
    const int64_t reach = (l.kernel[i] - 1) * l.dilations[i];
    const int64_t room = (l.in[i] - 1) * l.strides[i] + reach + l.extra[i];
    l.pads.push_back(sizes.between(0, std::min(reach, room)));
    end.push_back(sizes.between(0, std::min(reach, room - l.pads[i])));
  }
  l.pads.insert(l.pads.end(), end.begin(), end.end());
  l.bias = sizes.between(0, 1) != 0;
  l.residual = sizes.between(0, 1) != 0;
  return l;
}

TEST(Transposed, RowsLieAlongAnyAxis) {
  Sizes sizes(74);
  for (int round = 0; round < rounds(24); ++round) {
    Layer l = randomLayer(sizes, 1);
    const size_t rank = 2 + round % 2, axis = round / 2 % rank;
    const auto among = [&](std::vector<int64_t>& of, int64_t unit) {
      std::vector<int64_t> all(rank, unit);
      all[axis] = of.front();
      of = all;
    };
    const std::vector<int64_t> pads = l.pads;
    l.pads.assign(2 * rank, 0);
    l.pads[axis] = pads[0];
    l.pads[rank + axis] = pads[1];
    among(l.in, 1);
    among(l.kernel, 1);
    among(l.strides, sizes.between(1, 3));
    among(l.dilations, 1);
    among(l.extra, 0);
    expectLayerAgrees(l);
  }
}

/// Most random layers run in the kernel for transposed convolutions, not as others.
void sweep(size_t rank, uint64_t seed, int count) {
  Sizes sizes(seed);
  int own = 0;
  for (int round = 0; round < count; ++round)
    own += expectLayerAgrees(randomLayer(sizes, rank)).starts_with("conv_transposed");
  EXPECT_GT(2 * own, count);
}

/// Strides jump over the only column of the result, so that it is the bias.
TEST(Transposed, NoTapReachesTheResult) {
  for (int64_t group : {1, 31})
    expectLayerAgrees({.batch = 1,
                       .cin = 31,
                       .cout = 62,
                       .group = group,
                       .in = {2, 2},
                       .kernel = {4, 1},
                       .strides = {2, 2},
                       .dilations = {1, 1},
                       .pads = {1, 1, 0, 1},
                       .extra = {0, 0},
                       .bias = true,
                       .residual = false});
}

TEST(Transposed, SweepsImages) { sweep(2, 5, rounds(60)); }

/// Winograd's algorithm computes the results between two pixels as channels of one.
TEST(Transposed, SubPixelsAreChannels) {
  Sizes sizes(9);
  int used = 0;
  for (int round = 0; round < rounds(40); ++round) {
    const size_t rank = round % 4 == 0 ? 1 : 2;
    Layer l = randomLayer(sizes, rank);
    l.group = 1;
    l.cin = sizes.between(16, 70);
    l.cout = sizes.between(12, 70);
    l.dilations.assign(rank, 1);
    for (size_t i = 0; i < rank; ++i) {
      l.in[i] = sizes.between(8, rank == 1 ? 80 : 26);
      l.strides[i] = sizes.oneOf<int64_t>({1, 2, 2, 2, 3, 4});
      l.kernel[i] = sizes.between(1, 4) * l.strides[i] - sizes.oneOf<int64_t>({0, 0, 0, 1});
      l.kernel[i] = std::max<int64_t>(1, l.kernel[i]);
      l.extra[i] = sizes.between(0, l.strides[i] - 1);
      l.pads[i] = sizes.between(0, l.kernel[i] - 1);
      l.pads[rank + i] = sizes.between(0, l.kernel[i] - 1);
    }
    used += expectLayerAgrees(l, {.odd = oddNumbers()}).find("winograd") != std::string::npos;
  }
  EXPECT_GT(used, rounds(10));
}

/// Results of few channels are channels of an ordinary convolution, moved apart.
TEST(Transposed, FewChannelsAreSubPixels) {
  Sizes sizes(10);
  int moved = 0;
  for (int round = 0; round < rounds(60); ++round) {
    const auto rank = static_cast<size_t>(sizes.between(1, 3));
    Layer l = randomLayer(sizes, rank);
    l.group = 1;
    l.cin = sizes.between(1, 70);
    l.cout = sizes.between(1, 3);
    l.dilations.assign(rank, 1);
    for (size_t i = 0; i < rank; ++i) {
      l.strides[i] = i + 1 == rank ? sizes.between(3, 4) : sizes.between(1, rank == 3 ? 2 : 4);
      l.kernel[i] = sizes.between(1, 2) * l.strides[i];
      l.extra[i] = sizes.between(0, l.strides[i] - 1);
      // Of padding on either side that leaves a pixel at least.
      l.pads[i] = sizes.between(0, l.kernel[i] / 2);
      l.pads[rank + i] = sizes.between(0, (l.kernel[i] - 1) / 2);
    }
    moved += !expectLayerAgrees(l, {.odd = oddNumbers()}).starts_with("conv_transposed");
  }
  EXPECT_GT(moved, rounds(50));
}

TEST(Transposed, WeightsThatLeaveTheCache) {
  for (const int64_t stride : {1, 2, 3})
    for (const int64_t batch : {1, 3})
      expectLayerAgrees({.batch = batch,
                         .cin = 256,
                         .cout = 128,
                         .group = 1,
                         .in = {4, 3},
                         .kernel = {5, 5},
                         .strides = {stride, stride},
                         .dilations = {1, 1},
                         .pads = {1, 2, 2, 1},
                         .extra = {0, 0},
                         .bias = true,
                         .residual = true});
}

TEST(Transposed, SweepsSequences) { sweep(1, 6, rounds(25)); }

TEST(Transposed, SweepsVolumes) { sweep(3, 7, rounds(20)); }

TEST(Transposed, GroupsThatDoNotFillBlocksInPairs) {
  Sizes sizes(8);
  for (const int64_t group : {3, 5, 9, 17, 21})
    for (const int64_t width : {1, 4, 8, 12, 24}) {
      Layer l = randomLayer(sizes, 2);
      l.group = group;
      l.cin = group * width;
      l.cout = group * sizes.oneOf<int64_t>({1, 4, 8, 12, width});
      expectLayerAgrees(l);
    }
}

TEST(Transposed, CommonUpsamplings) {
  const auto square = [](int64_t cin, int64_t cout, int64_t side, int64_t k, int64_t s, int64_t p,
                         int64_t extra) {
    return Layer{
        1,    cin, cout, 1, {side, side + 1}, {k, k}, {s, s}, {1, 1}, {p, p, p, p}, {extra, extra},
        true, true};
  };
  expectLayerAgrees(square(32, 16, 28, 2, 2, 0, 0));
  expectLayerAgrees(square(24, 3, 33, 4, 2, 1, 0));
  expectLayerAgrees(square(20, 12, 16, 3, 2, 1, 1));
  expectLayerAgrees(square(12, 1, 21, 9, 3, 4, 2));
  expectLayerAgrees(square(100, 128, 1, 4, 1, 0, 0));
  expectLayerAgrees(
      {1, 21, 21, 21, {6, 7}, {16, 16}, {8, 8}, {1, 1}, {4, 4, 4, 4}, {0, 0}, false, false});
}

} // namespace
} // namespace enfold
