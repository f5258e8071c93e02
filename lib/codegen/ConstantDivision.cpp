// The corrected product is known to be the rounded quotient (Brisebarre, Muller and Raina,
// "Accelerating correctly rounded floating-point division when the divisor is known in advance",
// 2004) but for underflow, which the bounds of the divisor exclude where it matters. What rests on
// that is looked at all the same: the corrected product is off by less than two units in its last
// place, so that only next to k + 1/2 could it be rounded to another whole number.
#include "codegen/ConstantDivision.h"

#include <cmath>
#include <limits>

namespace enfold::codegen {
namespace {

constexpr float kLeast = 0x1p-60f, kMost = 0x1p60f; ///< of divisors
constexpr int kNeighbours = 4;                      ///< of k + 1/2 times the divisor

bool isRight(float x, float divisor, float reciprocal) {
  const float first = x * reciprocal;
  const float corrected = std::fma(std::fma(-first, divisor, x), reciprocal, first);
  return std::nearbyint(corrected) == std::nearbyint(x / divisor);
}

} // namespace

std::optional<float> reciprocalFor(float divisor) {
  if (!(divisor >= kLeast && divisor <= kMost)) return std::nullopt;
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const float reciprocal = 1 / divisor;
  for (int k = 0; k < kMostQuotient; ++k) {
    float x = (static_cast<float>(k) + 0.5f) * divisor;
    for (int i = 0; i < kNeighbours; ++i) x = std::nextafter(x, 0.0f);
    for (int i = 0; i <= 2 * kNeighbours; ++i, x = std::nextafter(x, kInfinity))
      if (!isRight(x, divisor, reciprocal)) return std::nullopt;
  }
  return reciprocal;
}

} // namespace enfold::codegen
