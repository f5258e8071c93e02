// Arithmetic on reals and integers. Integers wrap, as they do in numpy; dividing them by zero gives
// zero.
#include "reference/Pointwise.h"

#include <cmath>

namespace enfold::reference {
namespace {

/// Division of integers cuts towards zero; the one quotient that does not fit wraps.
template <Integer T> T quotient(T a, T b) {
  if (b == 0) return 0;
  if constexpr (std::is_signed_v<T>)
    if (b == -1) return static_cast<T>(-static_cast<uint64_t>(a));
  return static_cast<T>(a / b);
}

/// What the division above leaves: it has the sign of `a`.
template <Integer T> T remainderOf(T a, T b) {
  if constexpr (std::is_signed_v<T>)
    if (b == -1) return 0;
  return b == 0 ? T{0} : static_cast<T>(a % b);
}

double remainderOf(double a, double b) { return std::fmod(a, b); }

/// a - floor(a / b) * b: it has the sign of `b`, zero included.
template <Numeric T> T modulo(T a, T b) {
  const T remainder = remainderOf(a, b);
  if constexpr (Real<T>)
    if (remainder == 0) return std::copysign(0.0, b);
  const bool otherSign = (remainder < 0) != (b < 0);
  return remainder != 0 && otherSign ? static_cast<T>(remainder + b) : remainder;
}

/// base^exponent modulo 2^64; for a negative exponent the reciprocal, cut to an integer.
uint64_t integerPower(uint64_t base, uint64_t exponent, bool negative) {
  constexpr auto kMinusOne = ~uint64_t{0};
  if (negative) {
    if (base == 1) return 1;
    return base == kMinusOne ? (exponent % 2 ? kMinusOne : 1) : 0;
  }
  uint64_t power = 1;
  for (; exponent != 0; exponent /= 2, base *= base)
    if (exponent % 2) power *= base;
  return power;
}

/// Base and exponent have types of their own, so they come as numbers of one kind.
template <typename N, typename F> void zipPower(EvalContext& context, F&& power) {
  const std::vector<N> bases = load<N>(context.operand(0)), exponents = load<N>(context.operand(1));
  const Shape& shape = context.result().shape();
  std::vector<N> powers(static_cast<size_t>(numElements(shape)));
  forEachOffset<2>(
      shape, {broadcastStrides(context.shape(0), shape), broadcastStrides(context.shape(1), shape)},
      [&](int64_t i, const std::array<int64_t, 2>& at) {
        powers[static_cast<size_t>(i)] =
            power(bases[static_cast<size_t>(at[0])], exponents[static_cast<size_t>(at[1])]);
      });
  store(context.result(), powers);
}

bool isNumeric(ElemType elem) { return isFloat(elem) || isInteger(elem); }

} // namespace

Result<> evalAbs(EvalContext& context) {
  return mapElements(context, []<Numeric T>(T x) {
    if constexpr (Real<T>)
      return std::fabs(x);
    else
      return x < 0 ? -wrapping(x) : wrapping(x);
  });
}

Result<> evalNeg(EvalContext& context) {
  return mapElements(context, [](Numeric auto x) { return -wrapping(x); });
}

Result<> evalSign(EvalContext& context) {
  return mapElements(context, []<Numeric T>(T x) {
    if (x > 0) return T{1};
    return x < 0 ? static_cast<T>(-1) : x;
  });
}

Result<> evalAdd(EvalContext& context) {
  return zipElements(context, []<Numeric T>(T a, T b) { return wrapping(a) + wrapping(b); });
}

Result<> evalSub(EvalContext& context) {
  return zipElements(context, []<Numeric T>(T a, T b) { return wrapping(a) - wrapping(b); });
}

Result<> evalMul(EvalContext& context) {
  return zipElements(context, []<Numeric T>(T a, T b) { return wrapping(a) * wrapping(b); });
}

Result<> evalDiv(EvalContext& context) {
  return zipElements(context, []<Numeric T>(T a, T b) {
    if constexpr (Real<T>)
      return a / b;
    else
      return quotient(a, b);
  });
}

Result<> evalMod(EvalContext& context) {
  if (context.integer("fmod") != 0)
    return zipElements(context, []<Numeric T>(T a, T b) { return remainderOf(a, b); });
  return zipElements(context, []<Numeric T>(T a, T b) { return modulo(a, b); });
}

Result<> evalPow(EvalContext& context) {
  const ElemType base = context.elem(0), exponent = context.elem(1);
  if (!isNumeric(base)) return context.unsupportedElem(base);
  if (!isNumeric(exponent)) return context.unsupportedElem(exponent);
  const bool isSigned = info(exponent).cls == ElemClass::Signed;
  if (isInteger(base) && isInteger(exponent))
    zipPower<uint64_t>(context, [=](uint64_t b, uint64_t e) {
      return integerPower(b, e, isSigned && static_cast<int64_t>(e) < 0);
    });
  else
    zipPower<double>(context, [](double b, double e) { return std::pow(b, e); });
  return {};
}

} // namespace enfold::reference
