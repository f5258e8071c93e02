// Narrowing from double by integer arithmetic on its IEEE 754 fields: the exact value is known, so
// one rounding to nearest even gives the correctly rounded result, subnormals included.
#include "ir/Float16.h"

#include <bit>
#include <cmath>

namespace enfold {
namespace {

/// Rounds `value` to a binary format of `mantissaBits` and `exponentBits`, as
/// sign|exponent|mantissa.
uint16_t narrow(double value, int mantissaBits, int exponentBits) {
  const int bias = (1 << (exponentBits - 1)) - 1;
  const uint16_t infinity = static_cast<uint16_t>(((1 << exponentBits) - 1) << mantissaBits);
  const uint16_t sign = static_cast<uint16_t>(std::signbit(value) << (mantissaBits + exponentBits));
  if (std::isnan(value)) return sign | infinity | static_cast<uint16_t>(1 << (mantissaBits - 1));
  const double magnitude = std::fabs(value);
  if (std::isinf(value)) return sign | infinity;
  if (magnitude == 0) return sign;
  // The spacing of the format at this magnitude is 2^(exponent - mantissaBits).
  int exponent = std::ilogb(magnitude);
  if (exponent < 1 - bias) exponent = 1 - bias;
  const double units = std::nearbyint(std::ldexp(magnitude, mantissaBits - exponent));
  // `units` counts spacings; carrying into the next binade or to infinity falls out of the
  // addition.
  const auto encoded =
      static_cast<uint32_t>(units) + (static_cast<uint32_t>(exponent + bias - 1) << mantissaBits);
  return sign | (encoded >= infinity ? infinity : static_cast<uint16_t>(encoded));
}

} // namespace

Half::Half(float value) : Half(static_cast<double>(value)) {}
Half::Half(double value) : bits(narrow(value, 10, 5)) {}

Half::operator float() const {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16;
  const int exponent = (bits >> 10) & 31;
  const uint32_t mantissa = bits & 1023;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000 | mantissa << 13);
  if (exponent == 0) {
    const float value = std::ldexp(static_cast<float>(mantissa), -24);
    return sign ? -value : value;
  }
  return std::bit_cast<float>(sign | static_cast<uint32_t>(exponent + 112) << 23 | mantissa << 13);
}

BFloat16::BFloat16(float value) : BFloat16(static_cast<double>(value)) {}
BFloat16::BFloat16(double value) : bits(narrow(value, 7, 8)) {}

} // namespace enfold
