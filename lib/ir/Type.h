// The type of a value: element type, static shape, and how it lies in memory.
#pragma once

#include "ir/ElemType.h"
#include "support/Result.h"

#include <cstdint>
#include <string>
#include <vector>

namespace enfold {

/// Sizes of the dimensions, outermost first. A scalar has none. No size is negative.
using Shape = std::vector<int64_t>;

/// Product of the sizes; 1 for a scalar.
int64_t numElements(const Shape& shape);

/// Error when a size is negative or the tensor would not fit the address space (2^46 bytes).
Result<> checkShape(const Shape& shape, ElemType elem);

/// The shape numpy broadcasting gives, or an error naming both shapes.
Result<Shape> broadcastShapes(const Shape& a, const Shape& b);

/// An axis counted from the front; negative ones count from the back.
constexpr int64_t frontAxis(int64_t axis, int64_t rank) { return axis < 0 ? axis + rank : axis; }

/// "[1,64,56,56]"
std::string str(const Shape& shape);

/// How a tensor lies in memory. Plain is dense row-major. Blocked is N C/b ... b: axis 1 is split
/// into blocks of b, padded up to whole blocks; lanes past C hold arbitrary values, so code that
/// reduces over channels must not read them.
struct Layout {
  int block = 0; ///< 0: plain

  bool isPlain() const { return block == 0; }
  bool operator==(const Layout&) const = default;
};

struct Type {
  ElemType elem = ElemType::Undefined;
  Shape shape; ///< logical sizes, whatever the layout
  Layout layout;

  int64_t rank() const { return static_cast<int64_t>(shape.size()); }
  int64_t numElements() const { return enfold::numElements(shape); }
  /// Bytes in memory, with the padding of a blocked layout.
  int64_t numBytes() const;
  /// "f32[1,64,56,56]", with "{c8}" behind it for channels blocked by 8.
  std::string str() const;
  bool operator==(const Type&) const = default;
};

} // namespace enfold
