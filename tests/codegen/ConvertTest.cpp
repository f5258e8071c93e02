// Conversions between all types. f16 and bf16 are checked on every bit pattern.
#include "tests/codegen/Elementwise.h"

#include <fmt/format.h>

#include <bit>
#include <numeric>

namespace enfold::codegen {
namespace {

using kir::Builder;
using kir::Scalar;
using kir::Value;
using Values = std::vector<Value>;

/// Whether truncating x gives a number of R.
template <typename R> bool representable(double x) {
  double whole = std::trunc(x);
  // Both limits are exact in double or round away from the range.
  return whole >= static_cast<double>(std::numeric_limits<R>::min()) &&
         whole < std::ldexp(1.0, std::numeric_limits<R>::digits);
}

template <typename R> R saturated(double x) {
  if (std::isnan(x)) return 0;
  if (representable<R>(x)) return static_cast<R>(x);
  return x < 0 ? std::numeric_limits<R>::min() : std::numeric_limits<R>::max();
}

/// Operands of one type, and what they are as another.
struct Cast {
  Scalar from, to;
  std::vector<Guarded> operands;
  Guarded wanted;
  std::vector<char> defined; ///< of each operand: whether the result is specified
  bool saturates = false;
};

template <typename R> bool same(const Cast& cast, const Guarded& result, size_t i) {
  return sameBits<R>(result.as<R>()[i], cast.wanted.as<R>()[i]);
}

void check(const Cast& cast) {
  const Subject subject = {
      fmt::format("cast{}_to_{}_from", cast.saturates ? "_sat" : "", kir::name(cast.to)), 1,
      [&](Builder& b, const Values& v) {
        return cast.saturates ? b.castSat(v[0], cast.to) : b.cast(v[0], cast.to);
      }};
  const auto size = static_cast<size_t>(kir::sizeInBytes(cast.to));
  std::vector<Guarded> operands = cast.operands;
  runSubjects({subject}, cast.from, cast.to, operands, targets(),
              [&](size_t, const Guarded& result, const std::string& what) {
                const auto got = result.as<char>(), wanted = cast.wanted.as<char>();
                for (size_t i = 0; i < kElements; ++i) {
                  if (!cast.defined[i] || std::memcmp(&got[i * size], &wanted[i * size], size) == 0)
                    continue;
                  // All that is not a number is alike.
                  ASSERT_TRUE((cast.to == Scalar::F32 && same<float>(cast, result, i)) ||
                              (cast.to == Scalar::F64 && same<double>(cast, result, i)))
                      << what << ": operand " << i;
                }
              });
}

template <std::integral R, std::integral T> R saturated(T x) {
  return std::cmp_less(x, std::numeric_limits<R>::min())      ? std::numeric_limits<R>::min()
         : std::cmp_greater(x, std::numeric_limits<R>::max()) ? std::numeric_limits<R>::max()
                                                              : static_cast<R>(x);
}

template <typename T>
inline constexpr bool kIsInteger = std::integral<T> && !std::is_same_v<T, bool>;

template <typename T, typename R> void checkCast() {
  const auto x = operands<T>(1, kElements)[0];
  std::vector<Stored<R>> plain(kElements), clipped(kElements);
  std::vector<char> defined(kElements, true);
  for (size_t i = 0; i < kElements; ++i) {
    if constexpr (std::floating_point<T> && std::integral<R> && !std::is_same_v<R, bool>) {
      clipped[i] = saturated<R>(x[i]);
      defined[i] = representable<R>(x[i]);
    }
    if constexpr (kIsInteger<T> && kIsInteger<R>) clipped[i] = saturated<R>(x[i]);
    if (defined[i]) plain[i] = static_cast<R>(static_cast<T>(x[i]));
  }
  check({scalarOf<T>(), scalarOf<R>(), {Guarded(x)}, Guarded(plain), std::move(defined)});
  if constexpr ((std::floating_point<T> || kIsInteger<T>) && kIsInteger<R>)
    check({scalarOf<T>(),
           scalarOf<R>(),
           {Guarded(x)},
           Guarded(clipped),
           std::vector<char>(kElements, true),
           true});
}

template <typename T> void checkCastsFrom() {
  checkCast<T, int8_t>();
  checkCast<T, int16_t>();
  checkCast<T, int32_t>();
  checkCast<T, int64_t>();
  checkCast<T, uint8_t>();
  checkCast<T, uint16_t>();
  checkCast<T, uint32_t>();
  checkCast<T, uint64_t>();
  checkCast<T, float>();
  checkCast<T, double>();
  checkCast<T, bool>();
}

template <typename T> class Casts : public testing::Test {};
using AllTypes = testing::Types<bool, int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t,
                                uint32_t, uint64_t, float, double>;
TYPED_TEST_SUITE(Casts, AllTypes);
TYPED_TEST(Casts, ToEveryType) { checkCastsFrom<TypeParam>(); }

/// Numbers that are rounded, moved and narrowed to bytes, as quantization does.
template <typename R> void checkRounded(double zero) {
  checkExpressions<float, R>(
      {{"round_add",
        1,
        [=](Builder& b, const Values& v) {
          const Value rounded = b.round(v[0]);
          return b.castSat(zero == 0 ? rounded : rounded + zero, scalarOf<R>());
        },
        [=](const float* x) { return saturated<R>(std::nearbyint(*x) + static_cast<float>(zero)); },
        {}},
       {"round_scaled_add",
        1,
        [=](Builder& b, const Values& v) {
          const Value rounded = b.round(v[0] * 8.5);
          return b.castSat(zero == 0 ? rounded : rounded + zero, scalarOf<R>());
        },
        [=](const float* x) {
          return saturated<R>(std::nearbyint(*x * 8.5f) + static_cast<float>(zero));
        },
        {}}});
}

/// The same behind a division by a constant, and made numbers again.
template <typename R> void checkScaled(double zero, float scale) {
  const auto quantized = [=](const Value& x) {
    Value rounded = x.builder().round(x / static_cast<double>(scale));
    if (zero != 0) rounded = rounded + zero;
    return x.builder().castSat(rounded, scalarOf<R>());
  };
  const auto expected = [=](float x) {
    return saturated<R>(std::nearbyint(x / scale) + static_cast<float>(zero));
  };
  // The operands that tests draw, and ones near halves of the scale.
  const auto near = [=](const Value& x) { return x * 0.0009765625 * static_cast<double>(scale); };
  const auto nearly = [=](float x) { return x * 0.0009765625f * scale; };
  checkExpressions<float, R>({{"divided",
                               1,
                               [=](Builder&, const Values& v) { return quantized(v[0]); },
                               [=](const float* x) { return expected(*x); },
                               {}},
                              {"divided_near",
                               1,
                               [=](Builder&, const Values& v) { return quantized(near(v[0])); },
                               [=](const float* x) { return expected(nearly(*x)); },
                               {}}});
  checkExpressions<float, float>(
      {{"again",
        1,
        [=](Builder& b, const Values& v) {
          const Value number = b.cast(quantized(v[0]), Scalar::F32);
          return zero == 0 ? number * 0.3 : (number - zero) * 0.3;
        },
        [=](const float* x) {
          return (static_cast<float>(expected(*x)) - static_cast<float>(zero)) * 0.3f;
        },
        {}},
       {"again_with_other_zero",
        1,
        [=](Builder& b, const Values& v) {
          return b.cast(quantized(near(v[0])), Scalar::F32) - 3.0;
        },
        [=](const float* x) { return static_cast<float>(expected(nearly(*x))) - 3.0f; },
        {}}});
}

TEST(RoundedCasts, Quotients) {
  for (const double zero : {0.0, 113.0, 255.0, -77.0})
    for (const float scale : {0.06865147f, 1.9999999f, 3e-39f, 7e24f}) {
      checkScaled<uint8_t>(zero, scale);
      checkScaled<int8_t>(zero, scale);
    }
}

/// Four vectors together, one of which is looked at.
template <typename R> void checkJoined(int part, double zero) {
  constexpr double kFactors[] = {0.5, 3, -1, 1000};
  checkExpressions<float, R>(
      {{"joined",
        1,
        [=](Builder& b, const Values& v) {
          const auto scaled = [&](int i) { return v[0] * kFactors[i]; };
          const Value all =
              b.concat(b.concat(scaled(0), scaled(1)), b.concat(scaled(2), scaled(3)));
          const Value bytes = b.castSat(b.round(all) + zero, scalarOf<R>());
          std::vector<int> mask(static_cast<size_t>(v[0].lanes()));
          std::iota(mask.begin(), mask.end(), part * v[0].lanes());
          return b.shuffle(bytes, bytes, mask);
        },
        [=](const float* x) {
          return saturated<R>(std::nearbyint(*x * static_cast<float>(kFactors[part])) +
                              static_cast<float>(zero));
        },
        {}}});
}

TEST(RoundedCasts, ManyLanes) {
  for (const int part : {0, 1, 2, 3}) {
    checkJoined<uint8_t>(part, 77);
    checkJoined<int8_t>(part, -3);
  }
}

TEST(RoundedCasts, ToBytes) {
  for (const double zero : {0.0, 1.0, 113.0, 128.0, 255.0, -1.0, -77.0, -128.0, 0.5, 1e6}) {
    checkRounded<uint8_t>(zero);
    checkRounded<int8_t>(zero);
  }
}

TEST(Bitcast, KeepsTheBits) {
  checkExpressions<float, int32_t>(
      {{"bits", 1, [](Builder& b, const Values& v) { return b.bitcast(v[0], Scalar::I32); },
        [](const float* x) { return std::bit_cast<int32_t>(*x); },
        [](const float* x) { return !std::isnan(*x); }}});
  checkExpressions<uint64_t, double>(
      {{"double",
        1,
        [](Builder& b, const Values& v) { return b.bitcast(v[0], Scalar::F64); },
        [](const uint64_t* x) { return std::bit_cast<double>(*x); },
        {}}});
}

TEST(Bitcast, SplitsAndJoinsLanes) {
  std::vector<uint8_t> bytes(64);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(17 * i + 3);
  for (const Target& target : targets())
    for (const int lanes : {1, 2, 3, 8}) {
      Builder b("bits");
      const kir::Buffer src = b.input("src", Scalar::U8, 64),
                        dst = b.output("dst", Scalar::I16, 32);
      b.parallelFor("i", 1, [&](const kir::Index&) {
        const Value words = b.bitcast(b.load(src[5], 4 * lanes), Scalar::I32);
        EXPECT_EQ(words.lanes(), lanes);
        b.store(dst[0], b.bitcast(words, Scalar::I16));
      });
      auto module = compileAll(
          [&] {
            std::vector<kir::Kernel> kernels;
            kernels.push_back(b.finish());
            return kernels;
          }(),
          target);
      Guarded from(bytes), to(64);
      runStep(*module, 0, {from.data(), to.data()});
      EXPECT_EQ(std::memcmp(to.data(), bytes.data() + 5, static_cast<size_t>(4 * lanes)), 0);
      EXPECT_TRUE(to.intact());
    }
}

/// A storage float by its number of exponent and mantissa bits.
struct Half {
  Scalar scalar;
  int exponentBits, mantissaBits;

  int bias() const { return (1 << (exponentBits - 1)) - 1; }
  uint16_t infinity() const {
    return static_cast<uint16_t>(((1 << exponentBits) - 1) << mantissaBits);
  }

  double decode(uint16_t bits) const {
    int exponent = (bits & 0x7fff) >> mantissaBits;
    int mantissa = bits & ((1 << mantissaBits) - 1);
    double sign = bits & 0x8000 ? -1 : 1;
    if ((bits & 0x7fff) > infinity()) return std::numeric_limits<double>::quiet_NaN();
    if ((bits & 0x7fff) == infinity()) return sign * std::numeric_limits<double>::infinity();
    if (exponent == 0) return sign * std::ldexp(mantissa, 1 - bias() - mantissaBits);
    return sign * std::ldexp(mantissa + (1 << mantissaBits), exponent - bias() - mantissaBits);
  }

  /// Nearest even; NaN gives any NaN. A long double holds all integers of 64 bits.
  uint16_t encode(long double x) const {
    auto sign = static_cast<uint16_t>(std::signbit(x) ? 0x8000 : 0);
    if (std::isnan(x)) return static_cast<uint16_t>(infinity() + 1);
    long double magnitude = std::fabs(x);
    int exponent = 1 - bias();
    if (magnitude >= std::ldexp(1, exponent) && std::isfinite(x)) exponent = std::ilogb(magnitude);
    long double steps = std::nearbyint(std::ldexp(magnitude, mantissaBits - exponent));
    // Counting in last places carries from the mantissa into the exponent by itself.
    long double code = steps + std::ldexp(exponent + bias() - 1, mantissaBits);
    return static_cast<uint16_t>(sign |
                                 (code < infinity() ? static_cast<uint16_t>(code) : infinity()));
  }
};
constexpr Half kF16{Scalar::F16, 5, 10};
constexpr Half kBf16{Scalar::BF16, 8, 7};

/// Converts an array on `target`, `lanes` at a time.
template <typename T, typename R>
std::vector<R> converted(const Target& target, const std::vector<T>& x, Scalar from, Scalar to,
                         int lanes) {
  auto size = static_cast<int64_t>(x.size());
  auto module =
      compileAll({elementwise("convert", {from}, to, lanes, size,
                              [&](Builder& b, const Values& v) { return b.cast(v[0], to); })},
                 target);
  Guarded in(x), out(x.size() * sizeof(R));
  runStep(*module, 0, {in.data(), out.data()});
  EXPECT_TRUE(out.intact());
  return out.as<R>();
}

TEST(HalfFloats, EveryValueToF32AndBack) {
  std::vector<uint16_t> all(0x10000);
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<uint16_t>(i);
  for (const Target& target : targets())
    for (const Half& half : {kF16, kBf16})
      for (int lanes : {1, 8, 16}) {
        auto wide = converted<uint16_t, float>(target, all, half.scalar, Scalar::F32, lanes);
        for (size_t i = 0; i < all.size(); ++i)
          ASSERT_TRUE(sameBits(wide[i], static_cast<float>(half.decode(all[i])))) << i;
        auto back = converted<float, uint16_t>(target, wide, Scalar::F32, half.scalar, lanes);
        for (size_t i = 0; i < all.size(); ++i)
          ASSERT_TRUE(back[i] == all[i] ||
                      (std::isnan(wide[i]) && std::isnan(half.decode(back[i]))))
              << i << " on " << name(target.isa);
      }
}

template <typename T> std::vector<T> aroundHalfValues(const Half& half) {
  std::vector<T> list;
  for (uint32_t i = 0; i < 0x8000; ++i) {
    auto x = static_cast<T>(half.decode(static_cast<uint16_t>(i)));
    auto next = static_cast<T>(half.decode(static_cast<uint16_t>(i + 1)));
    T middle = x / 2 + next / 2;
    for (T v : {middle, std::nextafter(middle, x), std::nextafter(middle, next)}) {
      list.push_back(v);
      list.push_back(-v);
    }
  }
  for (T v : edgeValues<T>()) list.push_back(v);
  while (list.size() % 16) list.push_back(0);
  return list;
}

/// Halfway cases and their neighbours, where double rounding would show.
template <typename T> void checkRounding() {
  for (const Target& target : targets())
    for (const Half& half : {kF16, kBf16})
      for (int lanes : {1, 8}) {
        auto x = aroundHalfValues<T>(half);
        auto bits = converted<T, uint16_t>(target, x, scalarOf<T>(), half.scalar, lanes);
        for (size_t i = 0; i < x.size(); ++i)
          ASSERT_TRUE(std::isnan(x[i]) ? std::isnan(half.decode(bits[i]))
                                       : bits[i] == half.encode(x[i]))
              << x[i] << " to " << kir::name(half.scalar) << " on " << name(target.isa);
      }
}

TEST(HalfFloats, RoundF32) { checkRounding<float>(); }
TEST(HalfFloats, RoundF64) { checkRounding<double>(); }

/// Sums that are no denormals, clipped or not: an instruction may round them.
TEST(HalfFloats, RoundSumsToBf16) {
  auto x = aroundHalfValues<float>(kBf16);
  for (float& v : x)
    if (std::fpclassify(v) == FP_SUBNORMAL) v = 1.5f;
  const std::vector<float> zeros(x.size(), 0.0f);
  const auto size = static_cast<int64_t>(x.size());
  for (const Target& target : targets())
    for (const float most : {6.0f, std::numeric_limits<float>::infinity()})
      for (const int lanes : {1, 4, 8, 16}) {
        const auto sum = [&](Builder& b, const Values& v) {
          const Value y = v[0] + v[1];
          return b.cast(std::isinf(most) ? y : b.min(y, b.constant(y.type(), most)), Scalar::BF16);
        };
        auto module = compileAll(
            {elementwise("sum", {Scalar::F32, Scalar::F32}, Scalar::BF16, lanes, size, sum)},
            target);
        Guarded in(x), second(zeros), out(x.size() * sizeof(uint16_t));
        runStep(*module, 0, {in.data(), second.data(), out.data()});
        EXPECT_TRUE(out.intact());
        const auto bits = out.as<uint16_t>();
        for (size_t i = 0; i < x.size(); ++i) {
          const float y = std::min(x[i] + 0.0f, most);
          ASSERT_TRUE(std::isnan(x[i]) ? std::isnan(kBf16.decode(bits[i]))
                                       : bits[i] == kBf16.encode(y))
              << x[i] << " on " << name(target.isa);
        }
      }
}

TEST(HalfFloats, Integers) {
  std::vector<int32_t> x;
  for (int32_t i = -70000; i < 70000; i += 7) x.push_back(i);
  for (const Target& target : targets())
    for (const Half& half : {kF16, kBf16}) {
      auto bits = converted<int32_t, uint16_t>(target, x, Scalar::I32, half.scalar, 8);
      for (size_t i = 0; i < x.size(); ++i) ASSERT_EQ(bits[i], half.encode(x[i])) << x[i];
    }
}

/// Integers halfway between two halves, and their neighbours, up to the largest.
template <typename T> std::vector<T> aroundHalves() {
  std::vector<T> list = edgeValues<T>();
  for (int bits = 8; bits < std::numeric_limits<T>::digits; ++bits)
    for (const int kept : {8, 9, 11, 12})
      for (uint64_t pattern :
           {uint64_t{0}, uint64_t{1}, uint64_t{2}, (uint64_t{1} << (kept - 1)) - 1}) {
        if (bits < kept) continue;
        // 1.pattern and half of the last place of a half
        const uint64_t half = ((uint64_t{1} << (kept - 1) | pattern) << 1 | 1);
        const uint64_t value = bits >= kept ? half << (bits - kept) : half >> (kept - bits);
        for (const int64_t off : {-1, 0, 1}) {
          const auto number = static_cast<T>(value + static_cast<uint64_t>(off));
          list.push_back(number);
          if constexpr (std::is_signed_v<T>) list.push_back(static_cast<T>(-number));
        }
      }
  while (list.size() % 16) list.push_back(0);
  return list;
}

template <typename T> void checkIntegers() {
  const std::vector<T> x = aroundHalves<T>();
  for (const Target& target : targets())
    for (const Half& half : {kF16, kBf16})
      for (int lanes : {1, 8}) {
        auto bits = converted<T, uint16_t>(target, x, scalarOf<T>(), half.scalar, lanes);
        for (size_t i = 0; i < x.size(); ++i)
          ASSERT_EQ(bits[i], half.encode(static_cast<long double>(x[i])))
              << x[i] << " to " << kir::name(half.scalar) << " on " << name(target.isa);
      }
}

TEST(HalfFloats, IntegersOfAllWidthsAreRoundedOnce) {
  checkIntegers<int32_t>();
  checkIntegers<uint32_t>();
  checkIntegers<int64_t>();
  checkIntegers<uint64_t>();
}

} // namespace
} // namespace enfold::codegen
