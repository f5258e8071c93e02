// Mean and variance inside kernels, in two passes: the variance is the mean of squared distances
// from the mean, which does not cancel as E[x^2] - E[x]^2 does. All elements are first shifted by
// one of them. Otherwise a mean that is far from zero, compared to the standard deviation, would be
// rounded by as much as the elements differ. The first element is never further from the mean than
// sqrt(n) standard deviations, and the difference of two close numbers is exact.
#pragma once

#include "lower/reduce/Fold.h"

namespace enfold::lower {

/// Folds a sum of load(i, width) over everything that is normalized together into a value of
/// `lanes` lanes (1, or one per channel); the caller knows what those elements are.
using SumOver =
    std::function<kir::Value(const std::function<kir::Value(const kir::Value& element)>& map)>;

/// Over `count` elements that one index runs through.
SumOver sumOfRow(kir::Builder& b, kir::Scalar scalar, int64_t count, int lanes, LoadVector load);

/// What normalizes: (x - shift - mean) * inverse.
struct Normalizer {
  kir::Value shift;
  kir::Value mean;    ///< of x - shift
  kir::Value inverse; ///< 1 / sqrt(variance + epsilon)

  kir::Value apply(kir::Builder& b, const kir::Value& x) const;
};

/// Of `count` elements that `sum` walks twice, shifted by `first`, which is any of them.
Normalizer momentsOf(kir::Builder& b, const SumOver& sum, const kir::Value& first, int64_t count,
                     double epsilon);

/// With shift and mean 0: 1 / sqrt(mean of squares + epsilon).
Normalizer rootMeanSquare(kir::Builder& b, const SumOver& sum, int64_t count, double epsilon);

/// A value of one lane, or of a lane per channel repeated for a row of pixels, as `width` lanes.
kir::Value widened(kir::Builder& b, const kir::Value& value, int width);

} // namespace enfold::lower
