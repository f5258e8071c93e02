// Formulas that exporters spell out in several ops, and the single ops they mean. Internal to
// canonicalize.
#pragma once

#include "ir/Rewriter.h"

#include <span>

namespace enfold {

/// Where `op` ends the formula: makes what it means, before `op`. Else changes nothing and returns
/// null. Whether the type is that of `op` is for the caller to check: it is no match otherwise.
using Formula = Op* (*)(Op& op, Rewriter& rewriter);

/// All formulas, in the order they are tried.
std::span<const Formula> formulas();

// ActivationFormulas.cpp
Op* swish(Op& op, Rewriter& rewriter);
Op* hardSwishOfSigmoid(Op& op, Rewriter& rewriter);
Op* hardOfClip(Op& op, Rewriter& rewriter);
Op* gelu(Op& op, Rewriter& rewriter);

// NormFormulas.cpp
Op* layerNorm(Op& op, Rewriter& rewriter);
Op* scaledLayerNorm(Op& op, Rewriter& rewriter);
Op* shiftedLayerNorm(Op& op, Rewriter& rewriter);

} // namespace enfold
