// Gathering by computed and constant indices against the reference, and indices out of range.
#include "Differential.h"
#include "driver/Compiler.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace enfold {
namespace {

constexpr ElemType kElems[] = {ElemType::F32, ElemType::F64, ElemType::F16,
                               ElemType::I64, ElemType::U8,  ElemType::Bool};

Shape randomShape(Sizes& sizes, size_t rank, int64_t largest) {
  Shape shape;
  for (size_t i = 0; i < rank; ++i) shape.push_back(sizes.between(1, largest));
  return shape;
}

const DifferentialOptions kExact{.tolerance = {0, 0}, .low = -1000, .high = 1000};

DifferentialOptions exactFor(ElemType elem, uint64_t seed) {
  DifferentialOptions options = kExact;
  options.seed = seed;
  if (elem == ElemType::U8 || elem == ElemType::Bool) options.low = 0, options.high = 255;
  return options;
}

TEST(Gather, EveryAxisOfRandomShapes) {
  Sizes sizes(11);
  for (uint64_t round = 0; round < rounds<uint64_t>(60); ++round) {
    const ElemType elem = kElems[round % std::size(kElems)];
    const ElemType index = sizes.oneOf({ElemType::I32, ElemType::I64});
    const Shape x = randomShape(sizes, static_cast<size_t>(sizes.between(1, 4)), 19);
    const auto rank = static_cast<int64_t>(x.size());
    const int64_t axis = sizes.between(-rank, rank - 1);
    const int64_t size = x[static_cast<size_t>(axis < 0 ? axis + rank : axis)];
    const Shape i = randomShape(sizes, static_cast<size_t>(sizes.between(0, 2)), 21);
    const auto algorithms = expectCompiledAgrees(
        [&](GraphBuilder& g) {
          return g.op(OpKind::Gather, "gather",
                      {g.input("x", {elem, x, {}}), indices(g, index, i, -size, size - 1)},
                      {{"axis", axis}});
        },
        exactFor(elem, round));
    EXPECT_TRUE(uses(algorithms, "gather") || uses(algorithms, "gather_rows"));
  }
}

TEST(Gather, ManyRowsAndLongRows) {
  for (const Shape& x : {Shape{37, 1030}, Shape{1030, 37}, Shape{5000, 1}, Shape{3, 4, 65, 33}})
    expectCompiledAgrees(
        [&](GraphBuilder& g) {
          return g.op(OpKind::Gather, "gather",
                      {g.input("x", f32(x)), indices(g, ElemType::I64, {301}, -x[0], x[0] - 1)});
        },
        kExact);
}

TEST(Gather, ConstantIndices) {
  for (const std::vector<int64_t>& list :
       {std::vector<int64_t>{3, 0, -1, 3}, {2}, {1, 3, 5}, {-1, -2, -3}})
    for (const int64_t axis : {0, 1, 2})
      expectCompiledAgrees(
          [&](GraphBuilder& g) {
            const std::span<const int64_t> span(list);
            Value* i = g.constant("i", Tensor::of({static_cast<int64_t>(list.size())}, span));
            return g.op(OpKind::Gather, "gather", {g.input("x", f32({6, 7, 9})), i},
                        {{"axis", axis}});
          },
          kExact);
}

TEST(GatherElements, EveryAxisOfRandomShapes) {
  Sizes sizes(12);
  for (uint64_t round = 0; round < rounds<uint64_t>(40); ++round) {
    const ElemType elem = kElems[round % std::size(kElems)];
    const ElemType index = sizes.oneOf({ElemType::I32, ElemType::I64});
    const Shape x = randomShape(sizes, static_cast<size_t>(sizes.between(1, 4)), 13);
    const auto rank = static_cast<int64_t>(x.size());
    const int64_t axis = sizes.between(0, rank - 1);
    Shape i = x;
    for (int64_t& size : i) size = sizes.between(1, size);
    i[static_cast<size_t>(axis)] = sizes.between(1, 20);
    const int64_t size = x[static_cast<size_t>(axis)];
    const auto algorithms = expectCompiledAgrees(
        [&](GraphBuilder& g) {
          return g.op(OpKind::GatherElements, "gather",
                      {g.input("x", {elem, x, {}}), indices(g, index, i, -size, size - 1)},
                      {{"axis", sizes.between(0, 1) ? axis : axis - rank}});
        },
        exactFor(elem, round));
    EXPECT_TRUE(uses(algorithms, "gather_elements"));
  }
}

TEST(GatherND, EveryDepthAndBatch) {
  Sizes sizes(13);
  for (uint64_t round = 0; round < rounds<uint64_t>(40); ++round) {
    const ElemType elem = kElems[round % std::size(kElems)];
    const Shape x = randomShape(sizes, 4, 9);
    const int64_t batch = sizes.between(0, 2), depth = sizes.between(1, 4 - batch);
    Shape i(x.begin(), x.begin() + batch);
    if (sizes.between(0, 1)) i.push_back(sizes.between(1, 20));
    i.push_back(depth);
    const int64_t least = *std::min_element(x.begin(), x.end());
    const auto algorithms = expectCompiledAgrees(
        [&](GraphBuilder& g) {
          return g.op(
              OpKind::GatherND, "gather",
              {g.input("x", {elem, x, {}}), indices(g, ElemType::I64, i, -least, least - 1)},
              {{"batch_dims", batch}});
        },
        exactFor(elem, round));
    EXPECT_TRUE(uses(algorithms, "gather") || uses(algorithms, "gather_rows"));
  }
}

TEST(ReverseSequence, BothAxesAndEveryLength) {
  Sizes sizes(14);
  for (uint64_t round = 0; round < rounds<uint64_t>(20); ++round) {
    const Shape x = randomShape(sizes, static_cast<size_t>(sizes.between(2, 4)), 11);
    const int64_t time = sizes.between(0, 1);
    const int64_t longest = x[static_cast<size_t>(time)];
    const auto algorithms = expectCompiledAgrees(
        [&](GraphBuilder& g) {
          Value* lengths =
              indices(g, ElemType::I64, {x[static_cast<size_t>(1 - time)]}, 0, longest);
          return g.op(OpKind::ReverseSequence, "reverse", {g.input("x", f32(x)), lengths},
                      {{"time_axis", time}, {"batch_axis", 1 - time}});
        },
        {.tolerance = {0, 0}, .low = -1000, .high = 1000, .seed = round});
    EXPECT_TRUE(uses(algorithms, "reverse_sequence"));
  }
}

/// The run of gather(x[5, 3], i) with these indices.
Result<> gatherOnce(const std::vector<int64_t>& list, int threads) {
  GraphBuilder g("test");
  Value* x = g.input("x", f32({5, 3}));
  const auto count = static_cast<int64_t>(list.size());
  Value* i = g.input("i", {ElemType::I64, {count}, {}});
  auto compiled = compile(*g.finish(g.op(OpKind::Gather, "pick", {x, i}), "y"));
  auto session = Session::create(compiled->executable, {.threads = threads});
  const std::span<const int64_t> span(list);
  const std::vector<Tensor> inputs = {Tensor(ElemType::F32, {5, 3}), Tensor::of({count}, span)};
  auto outputs = (*session)->run(inputs);
  if (!outputs) return std::unexpected(outputs.error());
  return {};
}

TEST(Gather, AnIndexOutOfRangeEndsTheRunWithAnError) {
  std::vector<int64_t> list(100, 4);
  EXPECT_TRUE(gatherOnce(list, 2));
  for (const int64_t wrong : {int64_t{5}, int64_t{-6}, INT64_MAX, INT64_MIN})
    for (const size_t place : {size_t{0}, size_t{50}, size_t{99}}) {
      list.assign(100, -5);
      list[place] = wrong;
      const auto result = gatherOnce(list, 2);
      ASSERT_FALSE(result);
      EXPECT_EQ(result.error().kind, ErrorKind::Invalid);
      EXPECT_NE(result.error().str().find("pick"), std::string::npos) << result.error().str();
      EXPECT_NE(result.error().str().find("out of range"), std::string::npos);
    }
}

} // namespace
} // namespace enfold
