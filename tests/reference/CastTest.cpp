// Conversions round once, to the nearest number of the type, of two as near to the even one.
#include "Support.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <map>
#include <random>

namespace enfold::reference::test {
namespace {

Tensor cast(const Tensor& x, ElemType to, bool saturate = true) {
  const auto y = evaluated(OpKind::Cast, {x}, {{"to", to}, {"saturate", int64_t{saturate}}});
  EXPECT_TRUE(y) << y.error().str();
  return y ? *y : Tensor(to, x.shape());
}

bool same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

/// `value`, which a long double holds, with `bits` significant bits.
long double rounded(long double value, int bits) {
  if (value == 0) return 0;
  const int shift = bits - 1 - std::ilogb(value);
  return std::ldexp(std::nearbyint(std::ldexp(value, shift)), -shift);
}

/// Whole numbers around the places halfway between numbers of 8, 11 and 24 bits.
template <typename T> std::vector<T> hardIntegers() {
  std::vector<T> list = {0, 1, 3, std::numeric_limits<T>::max(), std::numeric_limits<T>::min()};
  std::mt19937_64 random(5);
  for (int top = 8; top < std::numeric_limits<T>::digits; ++top)
    for (const int kept : {8, 11, 24}) {
      if (top < kept) continue;
      const uint64_t lead = (uint64_t{1} << (kept - 1) | random() % (uint64_t{1} << (kept - 1)));
      const uint64_t tie = (lead << 1 | 1) << (top - kept);
      for (const uint64_t number : {tie - 1, tie, tie + 1}) {
        list.push_back(static_cast<T>(number));
        if constexpr (std::is_signed_v<T>) list.push_back(static_cast<T>(-number));
      }
    }
  return list;
}

template <typename T> void checkIntegers() {
  const std::vector<T> numbers = hardIntegers<T>();
  const Tensor x =
      Tensor::of<T>({static_cast<int64_t>(numbers.size())}, std::span<const T>(numbers));
  const struct {
    ElemType elem;
    int bits;
    double most;
  } types[] = {
      {ElemType::F32, 24, 3.4e38}, {ElemType::F16, 11, 65504}, {ElemType::BF16, 8, 3.3e38}};
  for (const auto& type : types) {
    const Tensor y = cast(x, type.elem);
    for (size_t i = 0; i < numbers.size(); ++i) {
      const auto exact = static_cast<long double>(numbers[i]);
      auto wanted = static_cast<double>(rounded(exact, type.bits));
      if (std::fabs(wanted) > type.most)
        wanted = std::copysign(std::numeric_limits<double>::infinity(), wanted);
      EXPECT_EQ(y.asDouble(static_cast<int64_t>(i)), wanted)
          << numbers[i] << " to " << name(type.elem);
    }
  }
}

TEST(Cast, IntegersAreRoundedOnce) {
  checkIntegers<int32_t>();
  checkIntegers<uint32_t>();
  checkIntegers<int64_t>();
  checkIntegers<uint64_t>();
}

TEST(Cast, DoublesAreRoundedOnce) {
  // A little more than halfway, by less than f32 would keep.
  for (const auto& [elem, step] : std::map<ElemType, double>{
           {ElemType::BF16, 0x1p-7}, {ElemType::F16, 0x1p-10}, {ElemType::F32, 0x1p-23}})
    for (const double sign : {1.0, -1.0}) {
      const double tie = 1 + step / 2;
      const Tensor x = Tensor::of<double>(
          {3}, {sign * std::nextafter(tie, 2), sign * tie, sign * std::nextafter(tie, 1)});
      const Tensor y = cast(x, elem);
      EXPECT_EQ(y.asDouble(0), sign * (1 + step)) << name(elem);
      EXPECT_EQ(y.asDouble(1), sign) << name(elem);
      EXPECT_EQ(y.asDouble(2), sign) << name(elem);
    }
}

TEST(Cast, OfIntegersOfLessThanAByteTheLowBitsStay) {
  const std::vector<int64_t> numbers = {(int64_t{1} << 60) + 5, -(int64_t{1} << 60) - 3, 7, -8};
  const Tensor x = ints({4}, numbers);
  const Tensor y = cast(x, ElemType::I4);
  for (const auto& [i, wanted] : {std::pair{0, 5}, {1, -3}, {2, 7}, {3, -8}})
    EXPECT_EQ(y.asInt(i), wanted);
}

/// All finite magnitudes of an 8-bit type, by their codes.
std::vector<double> magnitudes(ElemType elem) {
  std::vector<double> list;
  for (int code = 0; code < 128; ++code) {
    Tensor one(elem, {});
    one.mutableBytes()[0] = static_cast<std::byte>(code);
    if (std::isfinite(one.asDouble(0))) list.push_back(one.asDouble(0));
  }
  return list;
}

TEST(Cast, NarrowFloatsOverflowOnlyBeyondTheTie) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const ElemType elem :
       {ElemType::F8E4M3FN, ElemType::F8E4M3FNUZ, ElemType::F8E5M2, ElemType::F8E5M2FNUZ}) {
    const std::vector<double> list = magnitudes(elem);
    const double most = list.back(), step = most - list[list.size() - 2];
    const double over = elem == ElemType::F8E5M2 ? std::numeric_limits<double>::infinity() : nan;
    std::vector<float> values;
    std::vector<double> wanted;
    const auto expect = [&](double value, double result) {
      values.push_back(static_cast<float>(value));
      wanted.push_back(result);
      values.push_back(static_cast<float>(-value));
      wanted.push_back(-result);
    };
    // Within the type: each number, what lies between two, and just beside that.
    for (size_t code = 0; code + 1 < list.size(); ++code) {
      const double low = list[code], high = list[code + 1], tie = (low + high) / 2;
      expect(low, low);
      expect(tie, code % 2 ? high : low);
      expect(std::nextafter(static_cast<float>(tie), 0.0f), low);
      expect(std::nextafter(static_cast<float>(tie), 1e9f), high);
    }
    const double tie = most + step / 2;
    const bool evenLast = (list.size() - 1) % 2 == 0;
    expect(most, most);
    expect(std::nextafter(static_cast<float>(tie), 0.0f), most);
    expect(tie, evenLast ? most : over);
    expect(std::nextafter(static_cast<float>(tie), 1e9f), over);
    expect(most + step, over);
    expect(1e30, over);
    expect(std::numeric_limits<double>::infinity(), over);
    const Tensor x = floats({static_cast<int64_t>(values.size())}, values);
    const Tensor y = cast(x, elem, false), saturated = cast(x, elem, true);
    for (size_t i = 0; i < wanted.size(); ++i) {
      const auto at = static_cast<int64_t>(i);
      EXPECT_TRUE(same(y.asDouble(at), wanted[i]))
          << values[i] << " to " << name(elem) << " gives " << y.asDouble(at);
      const double clipped = std::isfinite(wanted[i]) ? wanted[i] : std::copysign(most, values[i]);
      EXPECT_TRUE(same(saturated.asDouble(at), clipped))
          << values[i] << " to " << name(elem) << " saturates to " << saturated.asDouble(at);
    }
  }
}

} // namespace
} // namespace enfold::reference::test
