// Floats are ordered like their bits once those of negative numbers are flipped.
#include "lower/reduce/Ranking.h"

#include "lower/Scalars.h"

#include <limits>

namespace enfold::lower {
namespace {

using kir::Scalar;
using kir::Value;

int64_t greatestKey(Scalar key) {
  return key == Scalar::I32 ? std::numeric_limits<int32_t>::max()
                            : std::numeric_limits<int64_t>::max();
}

int64_t leastKey(Scalar key) { return -greatestKey(key) - 1; }

} // namespace

Scalar keyScalar(Scalar stored) {
  return kir::sizeInBytes(computeScalar(stored)) == 8 ? Scalar::I64 : Scalar::I32;
}

Value rankingKey(kir::Builder& b, const Value& elements, Extreme extreme) {
  const Scalar stored = elements.type().scalar, key = keyScalar(stored);
  const auto turned = [&](const Value& v) { return extreme == Extreme::Least ? ~v : v; };
  if (kir::isFloat(stored)) {
    // Adding 0 turns -0 into 0.
    const Value x = b.cast(elements, computeScalar(stored)) + 0.0;
    const Value bits = b.bitcast(x, key);
    const int sign = key == Scalar::I32 ? 31 : 63;
    const Value ordered = turned(bits ^ ((bits >> sign) & greatestKey(key)));
    return b.select(x == x, ordered, constantLike(ordered, greatestKey(key)));
  }
  if (stored == Scalar::U32 || stored == Scalar::U64)
    return turned(b.bitcast(elements, key) ^ leastKey(key));
  return turned(b.cast(elements, key));
}

} // namespace enfold::lower
