// What the steps of epilogues change.
//
// A step that does not read the running result converts an operand, the one that its first argument
// names, for the step that reads it next: so a residual of 8 bits is added as the number it stands
// for. Such steps stand directly in front of that one, in the order of its arguments.
#pragma once

#include "ir/Graph.h"

namespace enfold {

/// What the step changes: EpilogueStep::kAccumulator, or the operand that it converts.
int subjectOf(const EpilogueStep& step);

inline bool converts(const EpilogueStep& step) {
  return subjectOf(step) != EpilogueStep::kAccumulator;
}

/// The element type that each step of the op's epilogue gives what it changes.
std::vector<ElemType> elemsBehindSteps(const Op& op);

} // namespace enfold
