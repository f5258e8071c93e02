// Reorders of constants, which are done when the plan is made.
#pragma once

#include "ir/Graph.h"

#include <vector>

namespace enfold::lower {

/// True for a reorder whose result is known at compile time.
bool isReorderedConstant(const Op& op);

/// A tensor [N,C,...] with its channels in blocks of `block`; zeros fill the last block.
std::vector<std::byte> blockedBytes(const Tensor& tensor, int block);

} // namespace enfold::lower
