// Ops that move elements against the reference, which they must equal in every bit.
#include "Differential.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace enfold {
namespace {

constexpr ElemType kElems[] = {ElemType::F32, ElemType::I8,  ElemType::F16,
                               ElemType::I64, ElemType::F64, ElemType::Bool};

Value* ints(GraphBuilder& g, const char* name, const std::vector<int64_t>& values) {
  return g.constant(name, Tensor::of<int64_t>({static_cast<int64_t>(values.size())}, values));
}

Shape randomShape(Sizes& sizes, int64_t rank, int64_t side = 9) {
  Shape shape;
  for (int64_t i = 0; i < rank; ++i) shape.push_back(sizes.between(1, side));
  return shape;
}

/// Equal, and moved by such kernels; copies of the whole are `copy`.
void expectMoves(const BuildGraph& build, ElemType elem = ElemType::F32,
                 std::string_view kernel = "strided_copy") {
  const bool boolean = elem == ElemType::Bool;
  const auto algorithms = expectCompiledAgrees(
      build, {.tolerance = {0, 0}, .low = boolean ? 0 : -100.0, .high = boolean ? 1 : 100.0});
  EXPECT_TRUE(uses(algorithms, kernel) || uses(algorithms, "copy"));
}

TEST(Movement, TransposesOfEveryRank) {
  Sizes sizes(51);
  for (const ElemType elem : kElems)
    for (int64_t rank = 2; rank <= 5; ++rank)
      for (int round = 0; round < 3; ++round) {
        const Shape shape = randomShape(sizes, rank, rank == 2 ? 40 : 9);
        std::vector<int64_t> perm(static_cast<size_t>(rank));
        std::iota(perm.begin(), perm.end(), 0);
        while (std::ranges::is_sorted(perm))
          for (size_t i = 1; i < perm.size(); ++i)
            std::swap(perm[i], perm[static_cast<size_t>(sizes.between(0, int64_t(i)))]);
        expectMoves(
            [&](GraphBuilder& g) { return g.transpose(g.input("x", {elem, shape, {}}), perm); },
            elem);
      }
}

TEST(Movement, MatricesAroundTheVector) {
  for (const int64_t rows : {1, 2, 7, 8, 9, 16, 33})
    for (const int64_t columns : {3, 8, 15, 17, 32})
      expectMoves([&](GraphBuilder& g) {
        return g.transpose(g.input("x", f32({2, rows, columns})), {0, 2, 1});
      });
}

TEST(Movement, ConcatsOfEveryAxis) {
  Sizes sizes(52);
  for (const ElemType elem : kElems)
    for (int64_t rank = 1; rank <= 4; ++rank)
      for (int64_t axis = 0; axis < rank; ++axis) {
        const Shape shape = randomShape(sizes, rank);
        expectMoves(
            [&](GraphBuilder& g) {
              std::vector<Value*> parts;
              for (int64_t i = 0, n = sizes.between(2, 4); i < n; ++i) {
                Shape part = shape;
                part[static_cast<size_t>(axis)] = sizes.between(1, 9);
                parts.push_back(g.input("x", {elem, part, {}}));
              }
              return g.concat(parts, sizes.between(0, 1) ? axis : axis - rank);
            },
            elem);
      }
}

/// Parts computed in place inside the result, read again, or there twice.
TEST(Movement, ConcatsOfComputedParts) {
  for (const int64_t axis : {0, 1, 2}) {
    const auto part = [](GraphBuilder& g, const char* name) {
      return g.op(OpKind::Relu, std::string(name) + ".relu", {g.input(name, f32({3, 4, 5}))});
    };
    expectCompiledAgrees([&](GraphBuilder& g) {
      Value *a = part(g, "a"), *b = part(g, "b");
      Value* inner = g.concat({a, b}, axis);
      return g.concat({b, inner, a, a}, axis);
    });
    expectCompiledAgrees([&](GraphBuilder& g) {
      Value* a = part(g, "a");
      Value* whole = g.concat({a, g.input("b", f32({3, 4, 5}))}, axis);
      return g.op(OpKind::Sub, "sub", {whole, g.concat({a, a}, axis)});
    });
  }
}

TEST(Movement, SplitsOfEveryAxis) {
  Sizes sizes(53);
  for (const ElemType elem : kElems)
    for (int64_t rank = 1; rank <= 4; ++rank)
      for (int64_t axis = 0; axis < rank; ++axis) {
        Shape shape = randomShape(sizes, rank);
        const std::vector<int64_t> parts = {sizes.between(1, 9), sizes.between(1, 9),
                                            sizes.between(1, 9)};
        shape[static_cast<size_t>(axis)] = parts[0] + parts[1] + parts[2];
        expectMoves(
            [&](GraphBuilder& g) {
              Value* x = g.input("x", {elem, shape, {}});
              const auto results =
                  g.ops(OpKind::Split, "split", {x, ints(g, "sizes", parts)}, {{"axis", axis}}, 3);
              return g.concat({results[2], results[0], results[1]}, axis);
            },
            elem);
      }
}

TEST(Movement, SlicesForwardBackwardAndInSteps) {
  Sizes sizes(54);
  for (const ElemType elem : kElems)
    for (int round = 0; round < rounds(12); ++round) {
      const int64_t rank = sizes.between(1, 4);
      const Shape shape = randomShape(sizes, rank, 20);
      std::vector<int64_t> starts, ends, axes, steps;
      for (int64_t axis = rank - 1; axis >= 0; --axis) {
        if (sizes.between(0, 2) == 0) continue;
        const int64_t size = shape[static_cast<size_t>(axis)];
        const int64_t begin = sizes.between(0, size - 1), count = sizes.between(1, size - begin);
        const bool backward = sizes.between(0, 1) != 0;
        const int64_t last = begin + count - 1;
        axes.push_back(sizes.between(0, 1) ? axis : axis - rank);
        steps.push_back(backward ? -sizes.between(1, 3) : sizes.between(1, 3));
        starts.push_back(backward ? last : begin - (sizes.between(0, 1) ? size : 0));
        // Ends beyond the tensor mean its end.
        ends.push_back(backward ? (begin ? begin - 1 : INT64_MIN)
                                : (last + 1 < size ? last + 1 : INT64_MAX));
      }
      expectCompiledAgrees(
          [&](GraphBuilder& g) {
            return g.op(OpKind::Slice, "slice",
                        {g.input("x", {elem, shape, {}}), ints(g, "starts", starts),
                         ints(g, "ends", ends), ints(g, "axes", axes), ints(g, "steps", steps)});
          },
          {.tolerance = {0, 0}, .low = 0, .high = elem == ElemType::Bool ? 1.0 : 100.0});
    }
}

/// Slices of leading dimensions share the memory of what they are taken from.
TEST(Movement, SlicesOfComputedTensors) {
  for (const int64_t axis : {0, 1})
    expectCompiledAgrees([&](GraphBuilder& g) {
      Value* x = g.op(OpKind::Tanh, "tanh", {g.input("x", f32({6, 4, 3}))});
      const auto part = [&](const char* name, int64_t begin, int64_t end) {
        return g.op(
            OpKind::Slice, name,
            {x, ints(g, "starts", {begin}), ints(g, "ends", {end}), ints(g, "axes", {axis})});
      };
      Value* y = g.op(OpKind::Sub, "sub", {part("front", 0, 2), part("back", 2, 4)});
      return g.op(OpKind::Mul, "mul", {y, part("middle", 1, 3)});
    });
}

TEST(Movement, PadsAndCropsWithAConstant) {
  Sizes sizes(55);
  for (const ElemType elem : kElems)
    for (int round = 0; round < 8; ++round) {
      const int64_t rank = sizes.between(1, 4);
      const Shape shape = randomShape(sizes, rank);
      std::vector<int64_t> pads;
      for (int side = 0; side < 2; ++side)
        for (const int64_t size : shape) pads.push_back(sizes.between(-((size - 1) / 2), 5));
      Tensor value(elem, {});
      value.setDouble(0, elem == ElemType::Bool ? 1 : -7);
      expectMoves(
          [&](GraphBuilder& g) {
            std::vector<Value*> operands = {g.input("x", {elem, shape, {}}), ints(g, "pads", pads)};
            if (round % 2) operands.push_back(g.constant("value", value));
            return g.op(OpKind::Pad, "pad", operands);
          },
          elem);
    }
}

TEST(Movement, PadsOfSomeAxes) {
  expectMoves([](GraphBuilder& g) {
    return g.op(OpKind::Pad, "pad",
                {g.input("x", f32({2, 3, 5})), ints(g, "pads", {1, 2, -1, 4}),
                 g.constant("value", Tensor::scalar(0.5f)), ints(g, "axes", {-1, 0})});
  });
}

TEST(Movement, PadsWithItself) {
  Sizes sizes(57);
  for (const char* mode : {"edge", "reflect", "wrap"})
    for (const ElemType elem : kElems)
      for (int round = 0; round < 8; ++round) {
        const int64_t rank = sizes.between(1, 4);
        const Shape shape = randomShape(sizes, rank);
        const bool folds = std::string_view(mode) != "reflect";
        std::vector<int64_t> pads;
        for (int side = 0; side < 2; ++side)
          for (const int64_t size : shape)
            pads.push_back(round % 3 && sizes.between(0, 1)
                               ? 0
                               : sizes.between(-((size - 1) / 2), folds ? 5 : size - 1));
        expectMoves(
            [&](GraphBuilder& g) {
              return g.op(OpKind::Pad, "pad",
                          {g.input("x", {elem, shape, {}}), ints(g, "pads", pads)},
                          {{"mode", std::string(mode)}});
            },
            elem, "pad");
      }
  expectMoves(
      [](GraphBuilder& g) {
        return g.op(OpKind::Pad, "pad",
                    {g.input("x", f32({2, 3, 5})), ints(g, "pads", {1, 2, -1, 2}), nullptr,
                     ints(g, "axes", {-1, 0})},
                    {{"mode", std::string("reflect")}});
      },
      ElemType::F32, "pad");
}

TEST(Movement, PadsOfNothing) {
  for (const char* mode : {"edge", "reflect", "wrap", "constant"})
    expectCompiledAgrees([&](GraphBuilder& g) {
      return g.op(OpKind::Pad, "pad",
                  {g.input("x", f32({0, 3, 5})), ints(g, "pads", {0, 1, 2, 0, 2, 1})},
                  {{"mode", std::string(mode)}});
    });
}

TEST(Movement, PadsWithItselfBetweenConvolutionsStayBlocked) {
  Sizes sizes(58);
  for (const char* mode : {"edge", "reflect", "wrap"})
    for (int round = 0; round < 6; ++round) {
      const int64_t height = sizes.between(5, 20), width = sizes.between(5, 20);
      std::vector<int64_t> pads(8, 0);
      for (const size_t side : {2, 3, 6, 7}) pads[side] = sizes.between(-1, 4);
      const auto algorithms = expectCompiledAgrees([&](GraphBuilder& g) {
        Value* x = g.op(OpKind::Conv, "first",
                        {g.input("x", f32({2, 16, height, width})),
                         g.uniform("first.weight", {24, 16, 1, 1}, -0.3, 0.3)});
        Value* y =
            g.op(OpKind::Pad, "pad", {x, ints(g, "pads", pads)}, {{"mode", std::string(mode)}});
        return g.op(OpKind::Conv, "second",
                    {y, g.uniform("second.weight", {16, 24, 3, 3}, -0.3, 0.3)});
      });
      EXPECT_TRUE(uses(algorithms, "pad"));
      // What comes in is read plain; what goes out is made plain.
      EXPECT_EQ(std::ranges::count(algorithms, "strided_copy"), 1);
    }
}

TEST(Movement, ExpandsAndTiles) {
  Sizes sizes(56);
  for (const ElemType elem : kElems)
    for (int round = 0; round < 6; ++round) {
      const int64_t rank = sizes.between(1, 4);
      const Shape shape = randomShape(sizes, rank);
      Shape from = shape;
      std::vector<int64_t> repeats;
      for (int64_t& size : from) {
        if (sizes.between(0, 1)) size = 1;
        repeats.push_back(sizes.between(1, 3));
      }
      from.erase(from.begin(), from.begin() + sizes.between(0, from.front() == 1 ? 1 : 0));
      expectCompiledAgrees(
          [&](GraphBuilder& g) {
            Value* x = g.input("x", {elem, from, {}});
            Value* y = g.op(OpKind::Expand, "expand", {x, ints(g, "shape", shape)});
            return g.op(OpKind::Tile, "tile", {y, ints(g, "repeats", repeats)});
          },
          {.tolerance = {0, 0}, .low = 0, .high = elem == ElemType::Bool ? 1.0 : 100.0});
    }
}

TEST(Movement, DepthAndSpace) {
  for (const ElemType elem : {ElemType::F32, ElemType::F16, ElemType::U8})
    for (const int64_t block : {2, 3})
      for (const int64_t channels : {1, 5, 16}) {
        const std::vector<std::string> modes = {"DCR", "CRD"};
        for (const std::string& mode : modes)
          expectMoves(
              [&](GraphBuilder& g) {
                Value* x = g.input("x", {elem, {2, channels * block * block, 3, 5}, {}});
                return g.op(OpKind::DepthToSpace, "shuffle", {x},
                            {{"blocksize", block}, {"mode", mode}});
              },
              elem == ElemType::U8 ? ElemType::Bool : elem);
        expectMoves(
            [&](GraphBuilder& g) {
              Value* x = g.input("x", {elem, {2, channels, 3 * block, 5 * block}, {}});
              return g.op(OpKind::SpaceToDepth, "shuffle", {x}, {{"blocksize", block}});
            },
            elem == ElemType::U8 ? ElemType::Bool : elem);
      }
}

TEST(Movement, ReshapesBetweenTransposes) {
  for (const int64_t groups : {2, 3})
    expectMoves([&](GraphBuilder& g) {
      Value* x = g.reshape(g.input("x", f32({2, 12, 5, 3})), {2, groups, 12 / groups, 5, 3});
      return g.reshape(g.transpose(x, {0, 2, 1, 3, 4}), {2, 12, 15});
    });
}

} // namespace
} // namespace enfold
