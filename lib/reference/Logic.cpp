// Predicates, comparisons, and the logic of booleans and of bits.
#include "reference/Pointwise.h"

#include <climits>

#include <cmath>

namespace enfold::reference {

Result<> evalIsNaN(EvalContext& context) {
  return mapElements(context, [](Real auto x) { return std::isnan(x); });
}

Result<> evalIsInf(EvalContext& context) {
  const bool negative = context.integer("detect_negative") != 0;
  const bool positive = context.integer("detect_positive") != 0;
  return mapElements(context, [=](Real auto x) {
    return std::isinf(x) && (std::signbit(x) ? negative : positive);
  });
}

Result<> evalNot(EvalContext& context) {
  return mapElements(context, [](Boolean auto x) { return !x; });
}

Result<> evalBitwiseNot(EvalContext& context) {
  return mapElements(context, []<Integer T>(T x) { return static_cast<T>(~x); });
}

/// eval<Kind>: `expression` of elements a and b of a type that satisfies `Concept`.
#define ENFOLD_BINARY(Kind, Concept, expression)                                                   \
  Result<> eval##Kind(EvalContext& context) {                                                      \
    return zipElements(context, []<Concept T>(T a, T b) { return expression; });                   \
  }
ENFOLD_BINARY(And, Boolean, a&& b)
ENFOLD_BINARY(Or, Boolean, a || b)
ENFOLD_BINARY(Xor, Boolean, a != b)
ENFOLD_BINARY(BitwiseAnd, Integer, static_cast<T>(a& b))
ENFOLD_BINARY(BitwiseOr, Integer, static_cast<T>(a | b))
ENFOLD_BINARY(BitwiseXor, Integer, static_cast<T>(a ^ b))
ENFOLD_BINARY(Equal, typename, a == b)
ENFOLD_BINARY(Greater, Numeric, a > b)
ENFOLD_BINARY(GreaterOrEqual, Numeric, a >= b)
ENFOLD_BINARY(Less, Numeric, a < b)
ENFOLD_BINARY(LessOrEqual, Numeric, a <= b)
#undef ENFOLD_BINARY

/// Shifting by the width or more, or by a negative count, shifts everything out; negative numbers
/// shift in their sign.
Result<> evalBitShift(EvalContext& context) {
  const bool left = context.string("direction") == "LEFT";
  const auto bits = static_cast<uint64_t>(byteSize(context.elem(0))) * CHAR_BIT;
  return zipElements(context, [=]<Integer T>(T x, T count) {
    const bool inRange = count >= 0 && static_cast<uint64_t>(count) < bits;
    if (left) return static_cast<T>(inRange ? static_cast<uint64_t>(x) << count : 0);
    if (inRange) return static_cast<T>(x >> count);
    return static_cast<T>(x < 0 ? -1 : 0);
  });
}

} // namespace enfold::reference
