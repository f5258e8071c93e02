// Arithmetic with numbers that sizes decide: where loose ranges are wanted, nothing folds with
// them.
#pragma once

#include "kernel/Index.h"

namespace enfold::lower {

/// Of an index that is not negative.
kir::Index quotient(const kir::Index& a, int64_t divisor);
kir::Index remainder(const kir::Index& a, int64_t divisor);

/// A size that is compared with what follows from the index.
kir::Index looseSize(int64_t size, const kir::Index& a);

} // namespace enfold::lower
