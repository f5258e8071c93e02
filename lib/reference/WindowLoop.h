// Sliding windows with up to any number of spatial dimensions, for convolutions and pools.
#pragma once

#include "ir/Infer.h"
#include "reference/Indexing.h"

namespace enfold::reference {

/// Geometry of a window over an input of the given spatial sizes.
struct Slide {
  Window window;
  Shape in, out; ///< spatial sizes

  /// The input pixel that tap `tap` reads for output pixel `o`, row-major, or -1 outside.
  int64_t inputPixel(std::span<const int64_t> o, std::span<const int64_t> tap) const {
    int64_t pixel = 0;
    for (size_t d = 0; d < in.size(); ++d) {
      const int64_t at =
          o[d] * window.strides[d] - window.padsBegin[d] + tap[d] * window.dilations[d];
      if (at < 0 || at >= in[d]) return -1;
      pixel = pixel * in[d] + at;
    }
    return pixel;
  }
};

/// The spatial part of a shape [N, C, spatial…].
inline Shape spatialOf(const Shape& shape) { return Shape(shape.begin() + 2, shape.end()); }

/// For every tap (row-major) and every output pixel the input pixel, or -1: computed once, so that
/// the loops over channels only follow it.
std::vector<std::vector<int64_t>> inputPixels(const Slide& slide);

} // namespace enfold::reference
