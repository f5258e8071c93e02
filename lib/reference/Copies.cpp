// Constants, copies and conversions between element types.
#include "ir/SmallFloat.h"
#include "reference/EvalContext.h"
#include "reference/Numbers.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstring>
#include <limits>

namespace enfold::reference {
namespace {

Result<> copy(EvalContext& context) {
  context.result() = context.operand().reshaped(context.result().shape());
  return {};
}

/// A float beyond an integer type's range saturates; NaN becomes 0. (ONNX leaves both open.)
template <typename T> T saturated(double value) {
  if (std::isnan(value)) return 0;
  constexpr double kLow = static_cast<double>(std::numeric_limits<T>::min());
  constexpr double kHigh = static_cast<double>(std::numeric_limits<T>::max());
  if (value <= kLow) return std::numeric_limits<T>::min();
  if (value >= kHigh) return std::numeric_limits<T>::max();
  return static_cast<T>(value);
}

bool isSmallFloat(ElemType elem) { return isFloat(elem) && info(elem).bits <= 8; }

/// An integer as the double that rounds to a narrower float as the integer itself does: of the two
/// around it, if it is none, the one whose last bit is 1 (Boldo and Melquiond, "Emulation of a FMA
/// and correctly rounded sums: proved algorithms using rounding to odd", 2008).
template <std::integral T> double roundedToOdd(T value) {
  const auto nearest = static_cast<double>(value);
  const auto exact = static_cast<__int128>(value), got = static_cast<__int128>(nearest);
  if (exact == got) return nearest;
  const bool away = exact < 0 ? got < exact : got > exact;
  return std::bit_cast<double>((std::bit_cast<uint64_t>(nearest) - (away ? 1 : 0)) | 1);
}

/// Element i as a double, rounded to odd.
double numberOf(const Tensor& tensor, int64_t i) {
  if (tensor.elem() == ElemType::U64) return roundedToOdd(tensor.data<uint64_t>()[i]);
  return tensor.elem() == ElemType::I64 ? roundedToOdd(tensor.data<int64_t>()[i])
                                        : tensor.asDouble(i);
}

/// Element i of `from` as element i of `to`. Integers narrow by dropping bits; floats are rounded
/// once.
void convert(const Tensor& from, Tensor& to, int64_t i, Overflow overflow) {
  const bool fromFloat = isFloat(from.elem());
  if (isSmallFloat(to.elem())) {
    setSmallElement(to.elem(), to.mutableBytes(), i, numberOf(from, i), overflow);
    return;
  }
  dispatchElem(
      to.elem(),
      [&](auto tag) {
        using T = decltype(tag);
        T* out = to.mutableData<T>() + i;
        if constexpr (std::is_same_v<T, bool>)
          *out = from.asDouble(i) != 0;
        else if constexpr (std::is_integral_v<T>)
          *out = fromFloat ? saturated<T>(from.asDouble(i)) : static_cast<T>(from.asInt(i));
        else if constexpr (std::is_same_v<T, double>)
          *out = from.asDouble(i);
        else
          *out = T(numberOf(from, i));
      },
      [&] {
        // Integers of less than a byte keep their low bits, which a double may not hold.
        const bool narrows = !fromFloat && isInteger(to.elem());
        to.setDouble(i, narrows ? static_cast<double>(from.asInt(i) & 0xff) : from.asDouble(i));
      });
}

/// The power of two that f8e8m0 holds for a number: the next one up or down, or the nearest, of two
/// as near the upper. It has no zero; the smallest power stands for it.
double powerOfTwo(double value, const std::string& mode, Overflow overflow) {
  constexpr int kLeast = -127, kLargest = 127;
  if (value == 0) return std::ldexp(1.0, kLeast);
  if (std::isnan(value) || value < 0 || (std::isinf(value) && overflow == Overflow::ToInfinity))
    return std::numeric_limits<double>::quiet_NaN();
  if (std::isinf(value)) return std::ldexp(1.0, kLargest);
  int exponent; // value = fraction · 2^exponent, 1/2 <= fraction < 1
  const double fraction = std::frexp(value, &exponent);
  const bool up = mode == "up" ? fraction > 0.5 : mode == "nearest" && fraction >= 0.75;
  const int power = up ? exponent : exponent - 1;
  if (power > kLargest && overflow == Overflow::ToInfinity)
    return std::numeric_limits<double>::quiet_NaN();
  return std::ldexp(1.0, std::clamp(power, kLeast, kLargest));
}

Result<> castTo(EvalContext& context) {
  const Tensor& x = context.operand();
  Tensor& y = context.result();
  const Overflow overflow = context.integer("saturate") ? Overflow::Saturate : Overflow::ToInfinity;
  if (y.elem() == ElemType::F8E8M0 && x.elem() != ElemType::F8E8M0) {
    const std::string& mode = context.string("round_mode");
    for (int64_t i = 0; i < x.numElements(); ++i)
      y.setDouble(i, powerOfTwo(numberOf(x, i), mode, overflow));
    return {};
  }
  for (int64_t i = 0; i < x.numElements(); ++i) convert(x, y, i, overflow);
  return {};
}

} // namespace

Result<> evalConstant(EvalContext& context) {
  context.result() = context.tensor("value");
  return {};
}

Result<> evalIdentity(EvalContext& context) { return copy(context); }
Result<> evalReshape(EvalContext& context) { return copy(context); }
Result<> evalFlatten(EvalContext& context) { return copy(context); }
Result<> evalSqueeze(EvalContext& context) { return copy(context); }
Result<> evalUnsqueeze(EvalContext& context) { return copy(context); }

Result<> evalCast(EvalContext& context) { return castTo(context); }
Result<> evalCastLike(EvalContext& context) { return castTo(context); }

Result<> evalBitCast(EvalContext& context) {
  std::memcpy(context.result().mutableBytes(), context.operand().bytes(),
              context.operand().numBytes());
  return {};
}

/// Inference only: in training mode the mask would be random.
Result<> evalDropout(EvalContext& context) {
  if (context.has(2) && context.operand(2).asDouble(0) != 0 &&
      !(context.has(1) && context.operand(1).asDouble(0) == 0))
    return unsupported("dropout in training mode draws random numbers");
  ENFOLD_RETURN_IF_ERROR(copy(context));
  if (context.numResults() > 1)
    for (int64_t i = 0; i < context.operand().numElements(); ++i) context.result(1).setDouble(i, 1);
  return {};
}

} // namespace enfold::reference
