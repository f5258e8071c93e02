// The zero point of the first operand of a sum of products of integers.
#pragma once

#include "kernel/Builder.h"
#include "lower/Lowering.h"

namespace enfold::lower {

/// A number, 0 where the op has none; or one that only a run knows.
class InputZero {
public:
  /// 0, of ops without zero points.
  InputZero() = default;
  /// `shift` is what kernels add to pixels before they multiply them.
  explicit InputZero(const Op& op, int64_t shift = 0);

  bool isKnown() const { return !computed_; }
  /// One that isKnown().
  int64_t number() const { return number_; }
  /// Declares what it is read from as the kernel's next input, unless it is known.
  void declare(kir::Builder& b, std::vector<BufferRef>& buffers, Lowering& lowering);
  kir::Value subtractedFrom(kir::Builder& b, const kir::Value& pixels) const;
  /// In every lane; of one that is not known.
  kir::Value splat(kir::Builder& b, const kir::Type& type) const;

private:
  const Value* computed_ = nullptr;
  int64_t number_ = 0; ///< what is added to a computed one, else the zero point
  std::optional<kir::Buffer> buffer_;
};

} // namespace enfold::lower
