// Arithmetic with numbers that sizes decide: where loose ranges are wanted, nothing folds with
// them.
#pragma once

#include "kernel/Index.h"

#include <functional>

namespace enfold::lower {

/// Of an index that is not negative.
kir::Index quotient(const kir::Index& a, int64_t divisor);
kir::Index remainder(const kir::Index& a, int64_t divisor);

/// A size that is compared with what follows from the index.
kir::Index looseSize(int64_t size, const kir::Index& a);

/// Of what is left behind whole tiles, any number below `tile`: calls body(before, count) for every
/// power of two that may be part of `rest`, the largest first, and has it run where it is.
void forHalves(kir::Builder& b, int64_t rest, int64_t tile,
               const std::function<void(int64_t before, int64_t count)>& body);

} // namespace enfold::lower
