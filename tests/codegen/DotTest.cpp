// Sums of products of words, at every width, of all signs, on every instruction set; and with those
// dot products that this machine has.
#include "tests/codegen/Harness.h"

#include <random>

namespace enfold::codegen {
namespace {

using kir::Builder;
using kir::Scalar;

template <typename T> constexpr Scalar scalarOf() {
  return std::is_same_v<T, int16_t> ? Scalar::I16 : std::is_signed_v<T> ? Scalar::I8 : Scalar::U8;
}

/// Ends of the range often: there sums of two products saturate 16 bits, and wrap around 32.
template <typename T> std::vector<T> numbers(size_t count, std::mt19937& random) {
  std::vector<T> result(count);
  for (T& x : result) {
    const auto draw = random() % 4;
    x = draw == 0   ? std::numeric_limits<T>::min()
        : draw == 1 ? std::numeric_limits<T>::max()
                    : static_cast<T>(random());
  }
  return result;
}

/// dst[i] = dot(dst[i], words of a, words of b), `lanes` at a time; with `repeats`, one word of a
/// is in all of a vector.
kir::Kernel dotKernel(Scalar a, Scalar b, int lanes, int64_t words, bool repeats) {
  const auto perWord = static_cast<int>(4 / kir::sizeInBytes(a));
  Builder builder("dot");
  const kir::Buffer x = builder.input("x", a, words * perWord);
  const kir::Buffer y = builder.input("y", b, words * perWord);
  const kir::Buffer sum =
      builder.inout("sum", a == Scalar::BF16 ? Scalar::F32 : Scalar::I32, words);
  builder.parallelFor("i", words / lanes, [&](const kir::Index& i) {
    const kir::Index at = i * (lanes * perWord);
    const kir::Value pixel = repeats ? builder.broadcastWord(x[at], perWord, lanes)
                                     : builder.load(x[at], lanes * perWord);
    builder.store(sum[i * lanes], builder.dot(builder.load(sum[i * lanes], lanes), pixel,
                                              builder.load(y[at], lanes * perWord)));
  });
  return builder.finish();
}

template <typename T, typename U> void checkDot() {
  constexpr int64_t kWords = 2 * 3 * 7 * 16;
  constexpr size_t kPerWord = 4 / sizeof(T);
  std::mt19937 random(5);
  const auto x = numbers<T>(kWords * kPerWord, random);
  const auto y = numbers<U>(kWords * kPerWord, random);
  std::vector<int32_t> sums(kWords);
  for (int32_t& sum : sums) sum = static_cast<int32_t>(random());
  for (const Target& target : targets())
    for (const int lanes : {1, 2, 3, 4, 6, 7, 8, 16})
      for (const bool repeats : {false, true}) {
        SCOPED_TRACE(fmt::format("{} by {}, {} lanes, {}", kir::name(scalarOf<T>()),
                                 kir::name(scalarOf<U>()), lanes, name(target.isa)));
        std::vector<kir::Kernel> kernels;
        kernels.push_back(dotKernel(scalarOf<T>(), scalarOf<U>(), lanes, kWords, repeats));
        auto module = compileAll(std::move(kernels), target);
        Guarded a(x), b(y), to(sums);
        runStep(*module, 0, {a.data(), b.data(), to.data()});
        const auto result = to.as<int32_t>();
        for (int64_t i = 0; i < kWords; ++i) {
          auto wanted = static_cast<uint32_t>(sums[static_cast<size_t>(i)]);
          const int64_t word = repeats ? i / lanes * lanes : i;
          for (size_t k = 0; k < kPerWord; ++k)
            wanted += static_cast<uint32_t>(int64_t{x[static_cast<size_t>(word) * kPerWord + k]} *
                                            y[static_cast<size_t>(i) * kPerWord + k]);
          ASSERT_EQ(result[static_cast<size_t>(i)], static_cast<int32_t>(wanted)) << i;
        }
        EXPECT_TRUE(to.intact());
      }
}

TEST(Dot, BytesOfAllSigns) {
  checkDot<uint8_t, int8_t>();
  checkDot<int8_t, uint8_t>();
  checkDot<int8_t, int8_t>();
  checkDot<uint8_t, uint8_t>();
}

TEST(Dot, PairsOfHalfWords) { checkDot<int16_t, int16_t>(); }

/// Of whole numbers, whose products and sums f32 holds: then the order does not matter.
TEST(Dot, PairsOfBf16) {
  constexpr int64_t kWords = 2 * 3 * 7 * 16;
  std::mt19937 random(6);
  std::vector<uint16_t> xBits(2 * kWords), yBits(2 * kWords);
  const std::vector<int> x = drawWholeHalves(xBits, random), y = drawWholeHalves(yBits, random);
  std::vector<float> sums(kWords);
  for (float& sum : sums) sum = static_cast<float>(random() % 1000);
  for (const Target& target : targets())
    for (const int lanes : {1, 2, 3, 4, 6, 7, 8, 16})
      for (const bool repeats : {false, true}) {
        SCOPED_TRACE(fmt::format("{} lanes, {}", lanes, name(target.isa)));
        std::vector<kir::Kernel> kernels;
        kernels.push_back(dotKernel(Scalar::BF16, Scalar::BF16, lanes, kWords, repeats));
        auto module = compileAll(std::move(kernels), target);
        Guarded a(xBits), b(yBits), to(sums);
        runStep(*module, 0, {a.data(), b.data(), to.data()});
        const auto result = to.as<float>();
        for (int64_t i = 0; i < kWords; ++i) {
          const int64_t word = repeats ? i / lanes * lanes : i;
          float wanted = sums[static_cast<size_t>(i)];
          for (int64_t k = 0; k < 2; ++k)
            wanted += static_cast<float>(x[static_cast<size_t>(2 * word + k)] *
                                         y[static_cast<size_t>(2 * i + k)]);
          ASSERT_EQ(result[static_cast<size_t>(i)], wanted) << i;
        }
        EXPECT_TRUE(to.intact());
      }
}

} // namespace
} // namespace enfold::codegen
