// The order in which arg_max, arg_min and top_k choose elements, as integers: the element chosen
// first has the greatest key. Equal numbers have equal keys (-0 and 0 among them), and NaN is
// chosen before all others.
#pragma once

#include "kernel/Builder.h"

namespace enfold::lower {

enum class Extreme : uint8_t { Greatest, Least };

/// The scalar of the keys of elements stored as `stored`: i32 or i64.
kir::Scalar keyScalar(kir::Scalar stored);

/// The keys of elements as they are stored.
kir::Value rankingKey(kir::Builder& b, const kir::Value& elements, Extreme extreme);

} // namespace enfold::lower
