// Kernel IR as text, for people: the `.kir` form. Constants and index expressions are written where
// they are used, everything else one instruction a line.
#pragma once

#include "kernel/Kernel.h"

#include <string>
#include <unordered_map>

namespace enfold::kir {

std::string print(const Kernel& kernel);

/// The line of the text, from 1, that each instruction stands in. What is written inside other
/// instructions stands in the first line that needs it.
using Lines = std::unordered_map<const Inst*, int>;

/// The same text with its lines.
std::string print(const Kernel& kernel, Lines& lines);

/// One instruction as it appears in the text (without the blocks it holds), for diagnostics.
std::string print(const Kernel& kernel, const Inst& inst);

} // namespace enfold::kir
