// Copying between strided views: the one kernel behind transpose, slice, split, concat, expand,
// tile, depth/space and layout changes.
#pragma once

#include "kernel/Kernel.h"

#include <vector>

namespace enfold::lower {

/// Element i0, i1, … of the source view goes to the same element of the destination view. Strides
/// and offsets are in elements; source strides may be 0 or negative.
struct StridedCopy {
  kir::Scalar elem;
  std::vector<int64_t> extents;
  std::vector<int64_t> srcStrides, dstStrides;
  int64_t srcOffset = 0, dstOffset = 0;
  int64_t srcSize = 0, dstSize = 0; ///< elements of the whole buffers
};

/// Kernel (src, dst). `vectorLanes`: lanes of a vector of this element type.
kir::Kernel stridedCopyKernel(StridedCopy copy, int vectorLanes);

} // namespace enfold::lower
