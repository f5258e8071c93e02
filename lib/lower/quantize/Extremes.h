// The least and the greatest element of a tensor, and what dynamic quantization makes of them.
#pragma once

#include "kernel/Builder.h"
#include "lower/Lowering.h"

#include <span>

namespace enfold::lower {

/// The least and greatest of some numbers of f32 and 0, while a kernel runs through them. Of
/// numbers with a NaN among them one of both is NaN.
class Extremes {
public:
  /// Of vectors of so many lanes.
  Extremes(kir::Builder& b, int lanes);

  void take(const kir::Value& numbers) const;
  kir::Value least() const;
  kir::Value greatest() const;

private:
  kir::Builder& b_;
  const int lanes_;
  kir::Buffer below_, above_; ///< not registers, which kernels have better use for
};

/// What the iterations of a kernel find: their least numbers, then their greatest.
struct PartialExtremes {
  BufferRef memory;
  int64_t count;
};

/// The dynamic_quantize_linear for which kernels of a convolution find the extremes of its result
/// while they store it; null if there is none. Such a convolution's own input is quantized
/// dynamically, too.
const Op* quantizerOf(const Op& conv, const kir::Target& target);

/// Where the scale and the zero point of a dynamic_quantize_linear are.
struct DynamicScale {
  BufferRef scale, zero;
};
/// Of one that has all results.
DynamicScale dynamicScaleOf(const Op& quantizer, Lowering& lowering);

/// Appends the kernel that computes them.
void lowerDynamicScale(const DynamicScale& to, std::span<const PartialExtremes> parts,
                       Lowering& lowering);

} // namespace enfold::lower
