// General kernels against those they are made of.
#include "kernel/Template.h"

#include "Harness.h"
#include "kernel/Verifier.h"

#include <numeric>

namespace enfold::codegen {
namespace {

using kir::Buffer;
using kir::Builder;
using kir::Index;
using kir::Scalar;

/// Averages of pairs of rows, times a constant, through the scratch: what sizes decide are bounds,
/// steps, offsets, a divisor, the scratch and a number that is not an integer.
kir::Kernel averages(int64_t rows, int64_t columns) {
  Builder b("averages");
  const Buffer src = b.input("src", Scalar::F32, 2 * rows * columns);
  const Buffer dst = b.output("dst", Scalar::F32, rows * columns);
  const Buffer first = b.scratch("first", Scalar::F32, columns);
  const Buffer second = b.scratch("second", Scalar::F32, columns);
  b.parallelFor("i", rows * 2, [&](const Index& i) {
    const Index row = i / 2, half = i % 2;
    const Index begin = half * (columns / 2);
    const Index end = begin + (columns / 2) + half * (columns % 2);
    b.forLoop("x", begin, end, [&](const Index& x) {
      b.store(first[x], b.load(src[2 * row * columns + x]));
      b.store(second[x], b.load(src[(2 * row + 1) * columns + x]));
    });
    b.forLoop("x", begin, end, 4, [&](const Index& x) {
      const kir::Value zero = b.zero(kir::f32(4));
      const kir::Value sum =
          b.loadPartial(first[x], end - x, zero) + b.loadPartial(second[x], end - x, zero);
      b.storePartial(dst[row * columns + x], sum * (1.0 / static_cast<double>(rows)), end - x);
    });
    b.forLoop("last", columns - 1, columns, [&](const Index& x) {
      b.ifThen(half == Index(1), [&] {
        const Index any = b.index(b.cast(b.value(i), Scalar::I64), {0, 1000});
        b.store(dst[row * columns + x], b.cast(b.value(x + any / rows), Scalar::F32));
      });
    });
  });
  return b.finish();
}

std::vector<float> run(const kir::Kernel& kernel, const Target& target, int64_t rows,
                       int64_t columns, std::vector<int64_t> sizes) {
  const auto module = compileAll({kernel}, target);
  std::vector<float> from(static_cast<size_t>(2 * rows * columns));
  std::iota(from.begin(), from.end(), -7.0f);
  Guarded src(from), dst(static_cast<size_t>(rows * columns) * sizeof(float));
  std::vector<void*> buffers = {src.data(), dst.data()};
  if (!sizes.empty()) buffers.insert(buffers.begin(), sizes.data());
  const enfold_program& program = *module->program();
  std::vector<std::max_align_t> scratch(256);
  program.steps[0].kernel(buffers.data(), 0, 2 * rows, scratch.data());
  EXPECT_TRUE(dst.intact());
  return dst.as<float>();
}

TEST(Template, GivesTheBitsOfTheKernelsItIsMadeOf) {
  const std::vector<std::array<int64_t, 2>> sizes = {{3, 9}, {4, 21}, {7, 12}, {5, 40}};
  const kir::Kernel first = averages(sizes[0][0], sizes[0][1]);
  const kir::Skeleton own = kir::skeletonOf(first);
  kir::Parameters parameters(own.numbers, own.groups);
  for (const auto& [rows, columns] : sizes) {
    const kir::Skeleton skeleton = kir::skeletonOf(averages(rows, columns));
    ASSERT_EQ(skeleton.shape, own.shape) << rows << "x" << columns;
    parameters.admit(skeleton.numbers, skeleton.groups);
  }
  EXPECT_LT(parameters.count(), 24u);
  const kir::Kernel general = kir::generalized(first, parameters);
  ASSERT_TRUE(kir::verify(general)) << kir::print(general);
  for (const auto& [rows, columns] : std::vector<std::array<int64_t, 2>>{
           {3, 9}, {4, 21}, {7, 12}, {5, 40}, {2, 33}, {6, 10}, {9, 14}}) {
    const kir::Kernel kernel = averages(rows, columns);
    const auto solved = parameters.solve(kir::skeletonOf(kernel).numbers);
    ASSERT_TRUE(solved) << rows << "x" << columns;
    for (const Target& target : targets())
      EXPECT_EQ(run(general, target, rows, columns, *solved),
                run(kernel, target, rows, columns, {}))
          << rows << "x" << columns;
  }
}

/// Sums of rows, through scratch that sizes do not decide.
kir::Kernel rowSums(int64_t columns) {
  Builder b("row_sums");
  const Buffer src = b.input("src", Scalar::F32, 2 * columns);
  const Buffer dst = b.output("dst", Scalar::F32, 2);
  const Buffer sums[] = {b.scratch("first", Scalar::F32, 1), b.scratch("second", Scalar::F32, 1)};
  b.parallelFor("once", 1, [&](const Index&) {
    for (int64_t row = 0; row < 2; ++row) {
      const Buffer& sum = sums[row];
      b.store(sum[0], b.zero(kir::f32(1)));
      b.forLoop("x", 0, columns, [&](const Index& x) {
        b.store(sum[0], b.load(sum[0]) + b.load(src[row * columns + x]));
      });
    }
    for (int64_t row = 0; row < 2; ++row) b.store(dst[row], b.load(sums[row][0]));
  });
  return b.finish();
}

/// Of a general kernel, each buffer of the scratch begins where the first does.
TEST(Template, KnownPlacesInTheScratchAreInBounds) {
  const kir::Kernel kernel = rowSums(5);
  const kir::Skeleton own = kir::skeletonOf(kernel), other = kir::skeletonOf(rowSums(9));
  ASSERT_EQ(own.shape, other.shape);
  kir::Parameters parameters(own.numbers, own.groups);
  parameters.admit(other.numbers, other.groups);
  ASSERT_GT(parameters.count(), 0u);
  const kir::Kernel general = kir::generalized(kernel, parameters);
  const auto valid = kir::verify(general);
  ASSERT_TRUE(valid) << valid.error().str();
  for (const Target& target : targets()) {
    const auto module = compileAll({general}, target);
    std::vector<float> from = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20, 30, 40, 50, 60, 70, 80, 90};
    std::vector<float> to(2);
    std::vector<int64_t> sizes = *parameters.solve(other.numbers);
    void* buffers[] = {sizes.data(), from.data(), to.data()};
    std::vector<std::max_align_t> scratch(64);
    module->program()->steps[0].kernel(buffers, 0, 1, scratch.data());
    EXPECT_EQ(to, (std::vector<float>{45, 450}));
  }
}

kir::Parameters parametersOf(const std::vector<std::vector<int64_t>>& samples,
                             const std::vector<int32_t>& groups) {
  kir::Parameters parameters(samples.front(), groups);
  for (const std::vector<int64_t>& numbers : samples) parameters.admit(numbers, groups);
  return parameters;
}

TEST(Template, WhatBreaksARelationIsNotServed) {
  const std::vector<std::vector<int64_t>> samples = {{1, 5, 8, 2}, {2, 5, 9, 4}};
  const std::vector<int32_t> groups(4);
  kir::Parameters parameters = parametersOf(samples, groups);
  EXPECT_EQ(parameters.count(), 2u); // the first and the third differ by 7
  EXPECT_EQ(parameters.solve({9, 5, 16, 3}), (std::vector<int64_t>{9, 3}));
  EXPECT_FALSE(parameters.solve({9, 6, 16, 3}));
  EXPECT_FALSE(parameters.solve({9, 5, 17, 3}));
  parameters.admit({9, 6, 17, 3}, groups);
  EXPECT_EQ(parameters.count(), 4u);
  EXPECT_TRUE(parameters.solve({1, 2, 3, 4}));
}

TEST(Template, LooseNumbersAreParametersFromTheStart) {
  constexpr int32_t kLoose = kir::Skeleton::kLoose;
  const std::vector<int32_t> groups = {kLoose, 0, kLoose, kLoose};
  kir::Parameters parameters({3, 3, 3, 4}, groups);
  EXPECT_EQ(parameters.count(), 3u);
  EXPECT_TRUE(parameters.solve({5, 3, 6, 7}));
  EXPECT_FALSE(parameters.solve({5, 4, 6, 7}));
  parameters.admit({5, 4, 6, 7}, groups);
  EXPECT_EQ(parameters.count(), 4u);
}

TEST(Template, WhatIsAParameterStaysOne) {
  const std::vector<int32_t> groups(4);
  kir::Parameters parameters = parametersOf({{1, 5, 8, 2}, {2, 5, 9, 4}}, groups);
  for (const std::vector<int64_t>& numbers :
       {std::vector<int64_t>{1, 5, 8, 2}, {1, 5, 8, 4}, {7, 5, 14, 4}}) {
    parameters.admit(numbers, groups);
    EXPECT_EQ(parameters.count(), 2u);
    EXPECT_TRUE(parameters.solve(numbers));
  }
}

TEST(Template, AnotherKernelOfTheShapeHasTheSameParameters) {
  const kir::Parameters parameters = parametersOf({{1, 5, 8, 3}, {2, 5, 9, 4}}, {0, 0, 0, -1});
  const kir::Parameters other = parameters.like({4, 6, 20, 7}, {0, 0, 0, -1});
  EXPECT_EQ(other.count(), 2u);
  EXPECT_TRUE(other.solve({5, 6, 21, 9}));
  EXPECT_FALSE(other.solve({5, 7, 21, 9}));
  EXPECT_FALSE(other.solve({5, 6, 22, 9}));
}

TEST(Template, NumbersOfNegativeGroupsShareOnlyIfEqual) {
  const std::vector<std::vector<int64_t>> samples = {{1, 3, 1}, {2, 4, 2}};
  EXPECT_EQ(parametersOf(samples, {-1, -1, -1}).count(), 2u);
  EXPECT_EQ(parametersOf(samples, {0, 0, -1}).count(), 2u);
  EXPECT_EQ(parametersOf(samples, {0, 0, 0}).like({1, 3, 2}, {-1, -1, -1}).count(), 3u);
}

TEST(Template, CodeThatDependsOnANumberIsAnotherShape) {
  const auto shapeOf = [](int64_t times, int64_t local) {
    Builder b("k");
    const Buffer dst = b.output("dst", Scalar::F32, 64);
    const Buffer tile = b.local("tile", Scalar::F32, local);
    b.parallelFor("i", 1, [&](const Index& i) {
      b.unrolledLoop("u", 0, times, [&](const Index& u) { b.store(tile[u], b.load(tile[i])); });
      b.store(dst[i], b.load(tile[i]));
    });
    return kir::skeletonOf(b.finish()).shape;
  };
  EXPECT_EQ(shapeOf(3, 8), shapeOf(3, 8));
  EXPECT_NE(shapeOf(3, 8), shapeOf(4, 8));
  EXPECT_NE(shapeOf(3, 8), shapeOf(3, 16));
}

} // namespace
} // namespace enfold::codegen
