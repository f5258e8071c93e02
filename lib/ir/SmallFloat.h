// Element types without C++ types of their own: 8-bit and narrower floats, sub-byte integers (one
// element a byte), complex. Formats: OCP 8-bit Floating Point Specification (E4M3FN, E5M2), the
// FNUZ variants (Noune et al. 2022), OCP Microscaling Formats (E2M1, E8M0).
#pragma once

#include "ir/ElemType.h"

#include <cstddef>

namespace enfold {

/// Element i as double; of a complex element the real part.
double smallElementToDouble(ElemType elem, const std::byte* bytes, int64_t i);

/// What a value beyond the largest finite one becomes: that value, or infinity (NaN where the
/// format has no infinity).
enum class Overflow { Saturate, ToInfinity };

/// Stores `value` rounded to nearest even; integers wrap into their bits.
void setSmallElement(ElemType elem, std::byte* bytes, int64_t i, double value,
                     Overflow overflow = Overflow::Saturate);

} // namespace enfold
