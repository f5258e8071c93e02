// Quotients by a number that is known when compiling, without dividing.
#pragma once

#include <optional>

namespace enfold::codegen {

/// Whole numbers up to which quotients are looked at.
inline constexpr int kMostQuotient = 512;

/// The reciprocal r with which q = x r, q + (x - q divisor) r, the last two each rounded once, is
/// the same whole number as x / divisor when it is rounded to one, up to kMostQuotient; none if
/// there is no such number. Of quotients that are infinite it makes NaN.
std::optional<float> reciprocalFor(float divisor);

} // namespace enfold::codegen
