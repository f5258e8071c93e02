// One operand of an elementwise computation: how kernels load it at given coordinates of the
// result.
#pragma once

#include "kernel/Builder.h"
#include "lower/Access.h"
#include "lower/Lowering.h"

namespace enfold::lower {

/// A scalar constant becomes an immediate; a per-channel constant of a blocked result is laid down
/// padded to whole blocks; everything else is read where it lives.
class Operand {
public:
  /// True when an operand of that type can be loaded for a result of that type.
  static bool fits(const Type& operand, const Type& result);

  Operand(const Value* value, const Type& result, Lowering& lowering);

  /// Declares the buffer as the kernel's next input, unless the operand is an immediate.
  void declare(kir::Builder& b);
  /// Lanes at `coordinates` (one per physical dimension of the result, lanes along the last), in
  /// the operand's compute scalar. Of a blocked result, these may be the lanes of `pixels`
  /// neighbouring pixels, if the operand readsPixels().
  kir::Value load(kir::Builder& b, std::span<const kir::Index> coordinates, int lanes,
                  int pixels = 1) const;
  /// Whether where pixels of a blocked result read follows from their number in row-major order.
  bool followsPixels() const { return !buffer_ || pixels_ != Pixels::Apart; }
  /// Whether neighbouring pixels of a blocked result, in that order, read either the same lanes or
  /// lanes next to each other.
  bool readsPixels() const {
    return !buffer_ ||
           (pixels_ != Pixels::Apart && !access_.channels && access_.strides.back() == 1);
  }

  /// Whether all pixels of an image of a blocked result read the same.
  bool isAlikeForPixels() const { return !buffer_ || pixels_ == Pixels::Same; }

  const std::optional<BufferRef>& buffer() const { return buffer_; }
  /// Strides over the result's physical dimensions, for collapsing them.
  std::vector<int64_t>& strides() { return access_.strides; }
  /// True when the dimensions must stay as they are.
  bool isRigid() const { return access_.channels.has_value(); }

private:
  /// From where pixels next to each other read.
  enum class Pixels : uint8_t { Same, Neighbours, Apart };

  Pixels pixelsOf(const Type& result) const;
  kir::Value loadStored(kir::Builder& b, std::span<const kir::Index> coordinates, int lanes) const;

  Type type_;
  Access access_;
  std::optional<double> immediate_;
  std::optional<int64_t> immediateInt_;
  std::optional<BufferRef> buffer_;
  std::optional<kir::Buffer> declared_;
  int64_t elements_ = 0;
  int block_ = 0;
  Pixels pixels_ = Pixels::Apart;
};

} // namespace enfold::lower
