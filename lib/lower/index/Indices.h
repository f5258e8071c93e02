// Indices that a network computes: they count from the front or, when negative, from the back, and
// are checked before a kernel reads by them, so that no kernel leaves its buffers.
#pragma once

#include "kernel/Builder.h"
#include "lower/Lowering.h"

namespace enfold::lower {

/// Bounds of an index, both included.
struct IndexRange {
  int64_t low, high;
};

/// The indices into an axis of that size, from either end.
inline IndexRange axisRange(int64_t size) { return {-size, size - 1}; }

/// Empty when `indices` are of a type that kernels read, and, where they are constant, in range.
/// Row-major element i belongs to ranges[i % ranges.size()].
std::string indicesRefusal(const Value* indices, std::span<const IndexRange> ranges);

/// Appends a call that ends the run with an error unless all indices are in range. Constants are
/// checked by the refusal.
void checkIndices(const Op& op, const Value* indices, std::span<const IndexRange> ranges,
                  Lowering& lowering);

/// Integers as `to`, counted from the front of an axis of `size` elements.
kir::Value fromFront(kir::Builder& b, const kir::Value& indices, int64_t size, kir::Scalar to);

/// The narrowest scalar that counts `elements`, for vectors of offsets.
kir::Scalar offsetScalar(int64_t elements);

} // namespace enfold::lower
