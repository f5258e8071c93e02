// A transposed convolution seen from its output: which taps reach an output coordinate, and from
// which input coordinates. With output o = i * stride - pad + k * dilation, the taps that reach o
// are an arithmetic progression which depends only on the phase of o, o mod stride; within a phase
// the output is an ordinary convolution of stride 1.
#pragma once

#include "kernel/Builder.h"
#include "lower/window/WindowProblem.h"

#include <vector>

namespace enfold::lower {

/// The taps that reach one output coordinate: for j in [lo, hi), tap firstTap + j * tapStep reads
/// input firstInput - j * inputStep.
struct ReachingTaps {
  kir::Index firstTap, firstInput, lo, hi;
  int64_t tapStep, inputStep;
};

/// The taps along dimension `d` that reach output coordinate `o` from inside the input.
ReachingTaps tapsReaching(const WindowProblem& problem, size_t d, const kir::Index& o);

/// The outputs o = q * stride + residue along the width as a convolution of stride 1 over q.
struct Phase {
  int64_t residue;
  /// Width as in the phase, tap x of its kernel is taps[x]; depth and height of the output.
  WindowProblem problem;
  std::vector<int64_t> taps;
};

/// The phases along the width that have outputs, in order.
std::vector<Phase> phasesOf(const WindowProblem& problem);

} // namespace enfold::lower
