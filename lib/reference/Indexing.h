// Walking tensors of any rank in row-major order: strides, broadcasting, and loops over all
// indices.
#pragma once

#include "ir/Type.h"

#include <array>
#include <span>

namespace enfold::reference {

/// Elements to move for one step along each axis.
using Strides = std::vector<int64_t>;

/// Strides of a dense tensor.
Strides rowMajorStrides(const Shape& shape);

/// Strides in an operand for steps along each axis of the result it broadcasts to: 0 along the axes
/// the operand repeats.
Strides broadcastStrides(const Shape& operand, const Shape& result);

/// Moves `index` to the next one of `shape` in row-major order, or to all zeros behind the last.
inline void nextIndex(std::span<int64_t> index, std::span<const int64_t> shape) {
  for (size_t axis = shape.size(); axis-- > 0;) {
    if (++index[axis] < shape[axis]) return;
    index[axis] = 0;
  }
}

/// Calls body(index) for each index of `shape` in row-major order; a scalar has one, empty.
template <typename Body> void forEachIndex(const Shape& shape, Body&& body) {
  std::vector<int64_t> index(shape.size(), 0);
  for (int64_t i = 0, count = numElements(shape); i < count; ++i) {
    body(std::span<const int64_t>(index));
    nextIndex(index, shape);
  }
}

/// Calls body(i, offsets) for each element i of `shape` in row-major order, where offsets[k] is the
/// sum of index times strides[k].
template <size_t N, typename Body>
void forEachOffset(const Shape& shape, const std::array<Strides, N>& strides, Body&& body) {
  const size_t rank = shape.size();
  const int64_t count = numElements(shape), inner = rank ? shape.back() : 1;
  std::array<int64_t, N> innerStrides{};
  for (size_t k = 0; k < N; ++k) innerStrides[k] = rank ? strides[k].back() : 0;
  std::vector<int64_t> outer(rank ? rank - 1 : 0, 0);
  const std::span<const int64_t> outerShape(shape.data(), outer.size());
  for (int64_t i = 0; i < count; nextIndex(outer, outerShape)) {
    std::array<int64_t, N> offsets{};
    for (size_t k = 0; k < N; ++k)
      for (size_t axis = 0; axis < outer.size(); ++axis)
        offsets[k] += outer[axis] * strides[k][axis];
    for (int64_t j = 0; j < inner; ++j, ++i) {
      body(i, offsets);
      for (size_t k = 0; k < N; ++k) offsets[k] += innerStrides[k];
    }
  }
}

} // namespace enfold::reference
