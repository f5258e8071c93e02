// Which ops are written as others before kernels are chosen.
#pragma once

#include "ir/OpInfo.h"

namespace enfold {

/// Whether the pass decompose writes ops of that kind as others, at least in some forms.
bool isDecomposed(OpKind kind);

} // namespace enfold
