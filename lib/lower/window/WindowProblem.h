// The sizes of a convolution or pooling window problem, with every rank brought to three spatial
// dimensions (depth, height, width; missing ones have size 1 in front).
#pragma once

#include "ir/Graph.h"

#include <array>
#include <string_view>

namespace enfold::lower {

/// Ends the name of an algorithm whose kernels are to differ in numbers only, from one width of an
/// image to another.
inline constexpr std::string_view kAnyWidth = " of any width";

/// a / b, rounded up; neither is negative.
constexpr int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

struct WindowProblem {
  using Spatial = std::array<int64_t, 3>;

  int64_t batch = 1, groups = 1;
  int64_t cin = 1, cout = 1; ///< over all groups
  Spatial in{1, 1, 1}, out{1, 1, 1};
  Spatial kernel{1, 1, 1}, strides{1, 1, 1}, dilations{1, 1, 1};
  Spatial padsBegin{0, 0, 0}, padsEnd{0, 0, 0};
  bool anyWidth = false; ///< rows are tiled alike whatever their width

  int64_t cinPerGroup() const { return cin / groups; }
  int64_t coutPerGroup() const { return cout / groups; }
  int64_t taps() const { return kernel[0] * kernel[1] * kernel[2]; }
  int64_t inPixels() const { return in[0] * in[1] * in[2]; }
  int64_t outPixels() const { return out[0] * out[1] * out[2]; }
  /// A 1x1 window that reads every pixel once: a matrix product over channels.
  bool isPointwise() const;
  /// Along dimension `d` there is one pixel, before and after, and a window of one tap.
  bool isUnit(size_t d) const;
  /// Input coordinate of output `o` and tap `k` along dimension `d`; may lie outside.
  int64_t inputAt(size_t d, int64_t o, int64_t k) const {
    return o * strides[d] - padsBegin[d] + k * dilations[d];
  }
  /// Of the taps of all results along dimension `d`, those inside the input.
  double shareInside(size_t d) const;
  double flops() const {
    return 2.0 * static_cast<double>(batch * outPixels() * cout * cinPerGroup() * taps());
  }
};

/// The problem of a conv, or of a pool (weights absent: one input channel a group, cout = cin).
/// That of a conv_transpose has the op's own window, which slides over the output.
/// Spatial rank at most 3.
WindowProblem writtenProblem(const Op& op);

/// The same with the axes along which there is one pixel, and a window of one tap, in front of the
/// others, so that rows are as long as can be: pixels and weights keep their order in memory, but
/// the last dimension need not be the op's.
WindowProblem windowProblem(const Op& op);

} // namespace enfold::lower
