// Folding many elements into one with +, *, min or max, in vectors. Sums are made of short partial
// sums, so that rounding errors grow with the length of those, not of the whole.
#pragma once

#include "kernel/Builder.h"

#include <functional>

namespace enfold::lower {

/// An associative operation and the scalar type it works in.
struct FoldOp {
  kir::Op op; ///< Add, Mul, Min or Max
  kir::Scalar scalar;

  kir::Value identity(kir::Builder& b, int lanes) const;
  kir::Value combine(const kir::Value& a, const kir::Value& b) const { return apply(op, a, b); }
  /// All lanes folded into one.
  kir::Value acrossLanes(kir::Builder& b, const kir::Value& vector) const;
};

/// The elements [i, i + width) of what is folded.
using LoadVector = std::function<kir::Value(const kir::Index& i, int width)>;

/// steps × load(i), i = 0 …, folded lane by lane into one vector of `width` lanes.
kir::Value foldSteps(kir::Builder& b, const FoldOp& fold, int64_t steps, int width,
                     const std::function<kir::Value(const kir::Index& step)>& load);

/// Folds [0, n) into `lanes` lanes; n must be a multiple of `lanes`, and not 0.
kir::Value foldToLanes(kir::Builder& b, const FoldOp& fold, int64_t n, int lanes,
                       const LoadVector& load);

/// Folds [0, n), n > 0, into a scalar.
kir::Value foldRow(kir::Builder& b, const FoldOp& fold, int64_t n, int lanes,
                   const LoadVector& load);

} // namespace enfold::lower
