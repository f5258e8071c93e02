// Checks that a kernel is well formed: every value defined before use in an open block, types by
// the rule of each instruction's kind, buffers used as declared and constant indices inside them,
// one parallel loop. Code generation relies on it and checks nothing again.
#pragma once

#include "kernel/Kernel.h"
#include "support/Result.h"

namespace enfold::kir {

/// All problems found, each with the instruction it concerns.
Result<> verify(const Kernel& kernel);

} // namespace enfold::kir
