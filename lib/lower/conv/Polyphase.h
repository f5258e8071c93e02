// Strided and transposed convolutions as ones of stride 1, which Winograd's algorithm takes.
//
// A window of k taps and stride s sees every s-th pixel of the input, from its first tap on, as one
// image, from its second one as another: as s images of their own channels, each through a window
// of k / s taps.
//
// The s results between two pixels of the input of a transposed convolution with stride s all come
// from the same k / s pixels: they are s channels of a result of its own, of a window of so many
// taps.
//
// Of strided windows with k taps where s does not divide k, some phases have a tap that the op's
// window lacks.
#pragma once

#include "lower/window/WindowProblem.h"

#include <vector>

namespace enfold::lower {

struct Polyphase {
  WindowProblem own;     ///< of the op
  WindowProblem problem; ///< with stride 1 along height and width, and channels of all phases
  /// Between the pixels of the op's input, or result, that are those of a phase.
  WindowProblem::Spatial inputStep{1, 1, 1}, resultStep{1, 1, 1};
  WindowProblem::Spatial inputPhases{1, 1, 1}; ///< that have a tap
  /// The pixel of the op's result that is the first of the problem's; negative if it has none.
  WindowProblem::Spatial firstResult{0, 0, 0};

  bool isTransposed = false;

  /// Whether it is more than the op's own problem.
  bool isPhased() const { return isTransposed || inputStep[1] * inputStep[2] > 1; }

  /// Of the op's products.
  double flops() const;
  /// In place of a tap that the op's window lacks: it takes no product. A weight of negative zero
  /// is given as zero.
  static constexpr float kNoTap = -0.0f;
  /// The op's weights as the problem has them: [channel of the result][of the input][tap].
  std::vector<float> filters(const float* weights) const;
  /// Tells apart what filters() gives for the same weights.
  std::string key() const;
};

/// For blocks of so many channels, which those of every phase fill up. What cannot be seen so is
/// the op's own problem: groups, dilated windows, strides along the depth, and transposed
/// convolutions whose stride does not divide the window.
Polyphase polyphaseOf(const Op& op, int64_t block);

} // namespace enfold::lower
