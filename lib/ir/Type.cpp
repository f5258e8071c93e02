// Shape arithmetic and the text form of types.
#include "ir/Type.h"

#include "support/ErrorCodes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace enfold {

int64_t numElements(const Shape& shape) {
  int64_t count = 1;
  for (int64_t size : shape) count *= size;
  return count;
}

Result<> checkShape(const Shape& shape, ElemType elem) {
  constexpr int64_t kMaxBytes = int64_t{1} << 46;
  int64_t bytes = static_cast<int64_t>(byteSize(elem));
  for (int64_t size : shape) {
    if (size < 0)
      return failure(ErrorCode::ShapeMismatch,
                     fmt::format("shape {} has a negative dimension", str(shape)));
    // Sizes of zero do not excuse the others from being addressable.
    if (__builtin_mul_overflow(bytes, std::max<int64_t>(size, 1), &bytes) || bytes > kMaxBytes)
      return failure(ErrorCode::ShapeMismatch, fmt::format("shape {} is too large", str(shape)));
  }
  return {};
}

Result<Shape> broadcastShapes(const Shape& a, const Shape& b) {
  const Shape& longer = a.size() >= b.size() ? a : b;
  const Shape& shorter = a.size() >= b.size() ? b : a;
  Shape result = longer;
  size_t lead = longer.size() - shorter.size();
  for (size_t i = 0; i < shorter.size(); ++i) {
    int64_t& size = result[lead + i];
    if (size == shorter[i] || shorter[i] == 1) continue;
    if (size != 1)
      return failure(ErrorCode::ShapeMismatch,
                     fmt::format("shapes {} and {} do not broadcast", str(a), str(b)));
    size = shorter[i];
  }
  return result;
}

std::string str(const Shape& shape) { return fmt::format("[{}]", fmt::join(shape, ",")); }

int64_t Type::numBytes() const {
  int64_t count = numElements();
  if (!layout.isPlain() && shape[1] > 0) {
    int64_t padded = (shape[1] + layout.block - 1) / layout.block * layout.block;
    count = count / shape[1] * padded;
  }
  return count * static_cast<int64_t>(byteSize(elem));
}

std::string Type::str() const {
  std::string text = fmt::format("{}{}", name(elem), enfold::str(shape));
  if (!layout.isPlain()) text += fmt::format("{{c{}}}", layout.block);
  return text;
}

} // namespace enfold
