// A depthwise convolution and the pointwise one that alone reads it, in one kernel.
#pragma once

#include "lower/Lowering.h"

namespace enfold::lower {

/// What the attribute `algorithm` of the pointwise one may say, instead of leaving it to the cost
/// model.
inline constexpr std::string_view kSeparable = "separable";

/// The depthwise convolution that is computed together with the convolution `op`, where its result
/// would leave the cache before it is read. Null if there is none.
const Op* depthwiseWithin(const Op& op, const kir::Target& target);
/// Whether `op` is computed within its user.
bool isWithinPointwise(const Op& op, const kir::Target& target);

void lowerConvSeparable(const Op& depthwise, const Op& pointwise, Lowering& lowering);

} // namespace enfold::lower
