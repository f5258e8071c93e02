// Encoding and decoding by exhaustive value: an 8-bit format has at most 256 values, so decoding is
// a formula and encoding a search for the nearest value, ties to the even code.
#include "ir/SmallFloat.h"

#include "support/Result.h"

#include <cmath>
#include <complex>
#include <cstdint>
#include <cstring>
#include <limits>

namespace enfold {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Format {
  int exponentBits, mantissaBits, bias;
  bool fnuz;     ///< one NaN (the code of minus zero), no infinities, no minus zero
  bool infinity; ///< top exponent holds infinity and NaNs as in IEEE 754
  bool nan;      ///< the all-ones code is NaN (when there is no infinity)
};

bool formatOf(ElemType elem, Format& format) {
  switch (elem) {
  case ElemType::F8E4M3FN:
    format = {4, 3, 7, false, false, true};
    return true;
  case ElemType::F8E4M3FNUZ:
    format = {4, 3, 8, true, false, false};
    return true;
  case ElemType::F8E5M2:
    format = {5, 2, 15, false, true, true};
    return true;
  case ElemType::F8E5M2FNUZ:
    format = {5, 2, 16, true, false, false};
    return true;
  case ElemType::F4E2M1:
    format = {2, 1, 1, false, false, false};
    return true;
  default:
    return false;
  }
}

double decode(const Format& f, uint32_t code) {
  const int top = f.exponentBits + f.mantissaBits;
  const bool negative = (code >> top) & 1;
  const uint32_t exponent = (code >> f.mantissaBits) & ((1u << f.exponentBits) - 1);
  const uint32_t mantissa = code & ((1u << f.mantissaBits) - 1);
  const uint32_t magnitude = code & ((1u << top) - 1);
  if (f.fnuz && negative && magnitude == 0) return kNaN;
  if (f.infinity && exponent == (1u << f.exponentBits) - 1)
    return mantissa ? kNaN : negative ? -kInfinity : kInfinity;
  if (!f.infinity && f.nan && magnitude == (1u << top) - 1) return kNaN;
  const double value =
      exponent ? std::ldexp(1.0 + std::ldexp(mantissa, -f.mantissaBits), int(exponent) - f.bias)
               : std::ldexp(double(mantissa), 1 - f.bias - f.mantissaBits);
  return negative ? -value : value;
}

uint32_t encode(const Format& f, double value, Overflow overflow) {
  const int top = f.exponentBits + f.mantissaBits;
  const uint32_t sign = std::signbit(value) ? 1u << top : 0;
  const uint32_t infinityCode = ((1u << f.exponentBits) - 1) << f.mantissaBits;
  const uint32_t nanCode = f.fnuz       ? 1u << top
                           : f.infinity ? sign | infinityCode | (1u << (f.mantissaBits - 1))
                           : f.nan      ? sign | ((1u << top) - 1)
                                        : 1u << top; // f4e2m1 has none; ONNX stores minus zero
  if (std::isnan(value)) return nanCode;
  uint32_t largest = (1u << top) - 1; // magnitude code of the largest finite value
  while (!std::isfinite(decode(f, largest))) --largest;
  const double magnitude = std::fabs(value);
  const double maximum = decode(f, largest);
  // Halfway to what would be the next number, ties go to the even code: with e4m3fn that is the
  // largest one, since infinity has no code.
  const double tie = maximum + (maximum - decode(f, largest - 1)) / 2;
  const bool overflows = magnitude > tie || (magnitude == tie && largest % 2 != 0);
  if (overflows && overflow == Overflow::ToInfinity && (f.fnuz || f.infinity || f.nan))
    return f.infinity ? sign | infinityCode : nanCode;
  if (magnitude >= maximum) return sign | largest;
  uint32_t low = 0; // decode(low) <= magnitude < decode(low + 1): codes grow with their values
  for (uint32_t bit = 1u << (top - 1); bit; bit >>= 1)
    if ((low | bit) <= largest && decode(f, low | bit) <= magnitude) low |= bit;
  const double down = magnitude - decode(f, low), up = decode(f, low + 1) - magnitude;
  const uint32_t code = down < up || (down == up && low % 2 == 0) ? low : low + 1;
  return f.fnuz && code == 0 ? 0 : sign | code;
}

/// Bits and signedness of the sub-byte integers.
bool subByte(ElemType elem, int& bits, bool& isSigned) {
  bits = elem == ElemType::U2 || elem == ElemType::I2 ? 2 : 4;
  isSigned = elem == ElemType::I4 || elem == ElemType::I2;
  return isSigned || elem == ElemType::U4 || elem == ElemType::U2;
}

} // namespace

double smallElementToDouble(ElemType elem, const std::byte* bytes, int64_t i) {
  Format format;
  if (formatOf(elem, format)) return decode(format, std::to_integer<uint32_t>(bytes[i]));
  int bits;
  bool isSigned;
  if (subByte(elem, bits, isSigned)) {
    const int code = std::to_integer<int>(bytes[i]) & ((1 << bits) - 1);
    return isSigned && code >> (bits - 1) ? code - (1 << bits) : code;
  }
  switch (elem) {
  case ElemType::F8E8M0: {
    const int code = std::to_integer<int>(bytes[i]);
    return code == 255 ? kNaN : std::ldexp(1.0, code - 127);
  }
  case ElemType::C64:
    return reinterpret_cast<const std::complex<float>*>(bytes)[i].real();
  case ElemType::C128:
    return reinterpret_cast<const std::complex<double>*>(bytes)[i].real();
  default:
    checkFailed("elem", __FILE__, __LINE__, "not a small element type");
  }
}

void setSmallElement(ElemType elem, std::byte* bytes, int64_t i, double value, Overflow overflow) {
  Format format;
  int bits;
  bool isSigned;
  if (formatOf(elem, format)) {
    bytes[i] = static_cast<std::byte>(encode(format, value, overflow));
  } else if (subByte(elem, bits, isSigned)) {
    const auto whole = std::isfinite(value) ? static_cast<int64_t>(std::fmod(value, 256.0)) : 0;
    bytes[i] = static_cast<std::byte>(whole & ((1 << bits) - 1));
  } else if (elem == ElemType::F8E8M0) {
    const double power = std::isfinite(value) && value > 0 ? std::nearbyint(std::log2(value)) : 128;
    bytes[i] =
        static_cast<std::byte>(static_cast<int>(std::fmax(-127, std::fmin(128, power))) + 127);
  } else if (elem == ElemType::C64) {
    reinterpret_cast<std::complex<float>*>(bytes)[i] = static_cast<float>(value);
  } else if (elem == ElemType::C128) {
    reinterpret_cast<std::complex<double>*>(bytes)[i] = value;
  } else {
    checkFailed("elem", __FILE__, __LINE__, "not a small element type");
  }
}

} // namespace enfold
