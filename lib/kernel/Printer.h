// Kernel IR as text, for people: the `.kir` form. Constants and index expressions are written where
// they are used, everything else one instruction a line.
#pragma once

#include "kernel/Kernel.h"

#include <string>

namespace enfold::kir {

std::string print(const Kernel& kernel);

/// One instruction as it appears in the text (without the blocks it holds), for diagnostics.
std::string print(const Kernel& kernel, const Inst& inst);

} // namespace enfold::kir
