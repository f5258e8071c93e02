// Random numbers of the statistics of others.
#pragma once

#include "ir/Tensor.h"

namespace enfold::diagnose {

/// A tensor of the same type. Of each row of the first axis, or of the whole where rows are short,
/// it has about the mean, the deviation and the share of zeros, and no number outside the range.
/// What is not finite stays where it is. A tensor of few different numbers has these, in about the
/// same shares. Equal seeds give equal tensors.
Tensor randomLike(const Tensor& tensor, uint64_t seed);

} // namespace enfold::diagnose
