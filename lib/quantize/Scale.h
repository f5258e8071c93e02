// Numbers as 8-bit codes: how scales and zero points are chosen for a range.
#pragma once

#include <cstdint>

namespace enfold::quantize {

/// An interval of numbers that holds 0.
struct Range {
  double low = 0, high = 0;

  void include(double value) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  void include(const Range& other) {
    include(other.low);
    include(other.high);
  }
  bool isZero() const { return low == 0 && high == 0; }
  bool operator==(const Range&) const = default;
};

/// The code q from 0 to 255 stands for (q - zero) * scale.
struct Scale {
  float scale = 1;
  int zero = 0;

  /// What becomes of a number: the one that its code stands for.
  double rounded(double value) const;
  bool operator==(const Scale&) const = default;
};

/// Scales between these bounds keep products with other scales normal numbers.
constexpr double kLeastScale = 0x1p-48, kGreatestScale = 0x1p+60;

/// Whether codes can span the range.
bool canScale(const Range& range);

/// The scale whose codes span the range; 0 has a code. An empty range is taken for [0, 1].
Scale scaleFor(const Range& range);

} // namespace enfold::quantize
