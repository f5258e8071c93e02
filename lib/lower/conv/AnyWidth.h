// The algorithm that a convolution keeps while the sizes of its image change.
#pragma once

#include "ir/Graph.h"
#include "kernel/Target.h"

namespace enfold::lower {

/// A value of the attribute `algorithm` for images of any width: what is estimated to be the best
/// on average over sizes about that of the op. What the attribute says now, where there is none.
std::string bestForAnyWidth(const Op& op, const kir::Target& target);

} // namespace enfold::lower
