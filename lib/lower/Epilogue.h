// The epilogue of an op inside its kernel: elementwise steps applied to the accumulator before it
// is stored. A step may change the element type: a kernel computes in that of Op::ownElem(), and
// stores that of the result.
#pragma once

#include "lower/Operand.h"

#include <algorithm>

namespace enfold::lower {

/// Empty when every step of the op's epilogue can be generated, else the reason why not.
std::string epilogueRefusal(const Op& op);

/// Where lanes of a blocked result are: the number of the image, of the block of channels, and of
/// the pixel in row-major order.
struct BlockedPixel {
  kir::Index image, block, pixel;
};

class Epilogue {
public:
  Epilogue(const Op& op, Lowering& lowering);

  bool empty() const { return steps_.empty(); }
  /// Whether a kernel had better keep its sums in memory and apply the steps in a loop over them:
  /// written out for every vector of a tile they take long to compile, and more room than the
  /// instruction cache has.
  bool isLong() const;
  /// Declares the operands as the kernel's next inputs.
  void declare(kir::Builder& b);
  /// The result of all steps at `coordinates` of the op's result (physical dimensions, lanes along
  /// the last), in the compute scalar of the result's type, to be stored with Builder::storeAs.
  /// `accumulator` is in the compute scalar of the op's own element type.
  kir::Value apply(kir::Builder& b, kir::Value accumulator,
                   std::span<const kir::Index> coordinates) const {
    return apply(b, std::move(accumulator), coordinates, 1);
  }
  /// The same at a pixel of a blocked result. Where takesPixels(), the accumulator may hold the
  /// lanes of `together` neighbouring pixels.
  kir::Value apply(kir::Builder& b, kir::Value accumulator, const BlockedPixel& at,
                   int together = 1) const;
  /// Lets sums of integers begin with what the first step adds to them, if it is a number of each
  /// channel: that step is then left to begun().
  void joinSums();
  /// What the sums of a pixel begin with, instead of `sum`.
  kir::Value begun(kir::Builder& b, const kir::Value& sum, const BlockedPixel& at) const;
  bool takesPixels() const { return std::ranges::all_of(operands_, &Operand::readsPixels); }
  /// Appends the operands' buffers in the order of declare().
  void appendBuffers(std::vector<BufferRef>& buffers) const;

  std::vector<Operand>& operands() { return operands_; }
  /// Arithmetic of one result element.
  double flopsPerElement() const { return static_cast<double>(steps_.size()); }

private:
  static constexpr int64_t kFewSteps = 5;

  kir::Value apply(kir::Builder& b, kir::Value accumulator, std::span<const kir::Index> coordinates,
                   int pixels) const;
  std::vector<kir::Index> coordinatesOf(const BlockedPixel& at) const;

  const Op& op_;
  std::span<const EpilogueStep> steps_;
  std::optional<size_t> joined_;  ///< operand that sums begin with, of operands_
  std::vector<ElemType> behind_;  ///< element types that the steps give what they change
  std::vector<Operand> operands_; ///< of all steps, in the order of the op's extra operands
};

} // namespace enfold::lower
