// Products of tiles, by the instructions for them where this machine has some, and written out.
#include "tests/codegen/Harness.h"

#include <random>

namespace enfold::codegen {
namespace {

using kir::Scalar;

constexpr int64_t kRows = kir::kTileRows;

/// All of targets(), and the last one without tiles of its own.
std::vector<Target> targetsOfTiles() {
  std::vector<Target> all = targets();
  if (!all.empty() && all.back().hasTiles) {
    all.push_back(all.back());
    all.back().hasTiles = false;
  }
  return all;
}

/// sum += a * b, twice, where rows of `a` are `stride` elements apart; and what is then in a tile
/// of zeros.
kir::Kernel productKernel(Scalar scalar, int64_t stride) {
  const int64_t row = kir::tileRow(scalar).lanes;
  const Scalar sumType = scalar == Scalar::BF16 ? Scalar::F32 : Scalar::I32;
  kir::Builder b("tiles");
  const kir::Buffer x = b.input("x", scalar, stride * (kRows - 1) + row);
  const kir::Buffer y = b.input("y", scalar == Scalar::BF16 ? scalar : Scalar::I8, kRows * row);
  const kir::Buffer first = b.input("first", sumType, kRows);
  const kir::Buffer sum = b.output("sum", sumType, 2 * kRows * kRows);
  b.parallelFor("i", 1, [&](const kir::Index&) {
    b.tileLoad(7, first[0], 0);
    b.tileZero(1);
    b.tileLoad(4, x[0], stride);
    b.tileLoad(5, y[0], row);
    b.forLoop("twice", 0, 2, [&](const kir::Index&) { b.tileDot(7, 4, 5, scalar); });
    b.tileStore(sum[0], kRows, 7);
    b.tileStore(sum[kRows * kRows], kRows, 1);
  });
  return b.finish();
}

template <typename T> std::vector<T> bytes(size_t count, std::mt19937& random) {
  std::vector<T> all(count);
  for (T& x : all)
    x = random() % 3 == 0   ? std::numeric_limits<T>::min()
        : random() % 3 == 0 ? std::numeric_limits<T>::max()
                            : static_cast<T>(random());
  return all;
}

template <typename T> void checkBytes(Scalar scalar) {
  constexpr size_t kRow = 64;
  for (const Target& target : targetsOfTiles())
    for (const size_t stride : {size_t{3}, kRow, size_t{80}}) {
      SCOPED_TRACE(fmt::format("{} {} {}", name(target.isa), target.hasTiles, stride));
      std::mt19937 random(static_cast<unsigned>(stride));
      const auto x = bytes<T>(stride * (kRows - 1) + kRow, random);
      const auto y = bytes<int8_t>(kRows * kRow, random);
      std::vector<int32_t> first(kRows);
      for (int32_t& s : first) s = static_cast<int32_t>(random());
      std::vector<kir::Kernel> kernels;
      kernels.push_back(productKernel(scalar, static_cast<int64_t>(stride)));
      auto module = compileAll(std::move(kernels), target);
      Guarded a(x), b(y), c(first), to(std::vector<int32_t>(2 * kRows * kRows, -1));
      runStep(*module, 0, {a.data(), b.data(), c.data(), to.data()});
      const auto result = to.as<int32_t>();
      for (size_t i = 0; i < kRows; ++i)
        for (size_t j = 0; j < kRows; ++j) {
          auto wanted = static_cast<uint32_t>(first[j]);
          for (size_t k = 0; k < kRow; ++k)
            wanted +=
                2U * static_cast<uint32_t>(x[i * stride + k] * y[k / 4 * kRow + 4 * j + k % 4]);
          ASSERT_EQ(result[i * kRows + j], static_cast<int32_t>(wanted)) << i << " " << j;
          ASSERT_EQ(result[(kRows + i) * kRows + j], 0);
        }
      EXPECT_TRUE(to.intact());
    }
}

TEST(Tile, ProductsOfBytes) {
  checkBytes<uint8_t>(Scalar::U8);
  checkBytes<int8_t>(Scalar::I8);
}

/// Of whole numbers, whose products and sums f32 holds: then the order does not matter.
TEST(Tile, ProductsOfBf16) {
  constexpr size_t kRow = 32, kStride = 40;
  std::mt19937 random(9);
  std::vector<uint16_t> xBits(kStride * (kRows - 1) + kRow), yBits(kRows * kRow);
  const std::vector<int> x = drawWholeHalves(xBits, random), y = drawWholeHalves(yBits, random);
  const std::vector<float> first(kRows, 3);
  for (const Target& target : targetsOfTiles()) {
    SCOPED_TRACE(fmt::format("{} {}", name(target.isa), target.hasTiles));
    std::vector<kir::Kernel> kernels;
    kernels.push_back(productKernel(Scalar::BF16, kStride));
    auto module = compileAll(std::move(kernels), target);
    Guarded a(xBits), b(yBits), c(first), to(std::vector<float>(2 * kRows * kRows, -1));
    runStep(*module, 0, {a.data(), b.data(), c.data(), to.data()});
    const auto result = to.as<float>();
    for (size_t i = 0; i < kRows; ++i)
      for (size_t j = 0; j < kRows; ++j) {
        int wanted = 3;
        for (size_t k = 0; k < kRow; ++k)
          wanted += 2 * x[i * kStride + k] * y[k / 2 * kRow + 2 * j + k % 2];
        ASSERT_EQ(result[i * kRows + j], static_cast<float>(wanted)) << i << " " << j;
      }
    EXPECT_TRUE(to.intact());
  }
}

/// A program needs the tiles of the processor only if it uses them.
TEST(Tile, AreNeededByWhatUsesThem) {
  const auto target = targetFor("sapphirerapids");
  ASSERT_TRUE(target) << target.error().str();
  EXPECT_TRUE(target->hasTiles);
  ProgramDesc program;
  EXPECT_EQ(needsOf(program, *target), target->needs);
  EXPECT_FALSE(target->needs.contains("amx"));
  program.kernels.push_back(productKernel(Scalar::U8, 64));
  EXPECT_EQ(needsOf(program, *target), target->needs + ",amx_int8");
  program.kernels.push_back(productKernel(Scalar::BF16, 32));
  EXPECT_EQ(needsOf(program, *target), target->needs + ",amx_int8,amx_bf16");
  EXPECT_EQ(needsOf(program, capped(*target, Isa::Avx2)), capped(*target, Isa::Avx2).needs);
}

} // namespace
} // namespace enfold::codegen
