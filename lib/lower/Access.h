// How an operand is addressed from the coordinates of a result: strides over the result's physical
// dimensions, with numpy broadcasting and either layout.
#pragma once

#include "ir/Type.h"

#include <optional>
#include <vector>

namespace enfold::lower {

/// Sizes of the loops over a tensor's memory, outermost first. Plain: the shape itself (at least
/// one dimension). Blocked: N, channel blocks, spatial…, block.
std::vector<int64_t> physicalExtents(const Type& type);

/// Elements in memory, those that fill up blocks among them.
int64_t elementsOf(const Type& type);

/// Row-major strides in elements.
std::vector<int64_t> denseStrides(const std::vector<int64_t>& extents);

struct Access {
  std::vector<int64_t> strides; ///< per physical dimension of the result; 0: broadcast
  /// The operand is plain with its channels along the lanes of a blocked result: only this many
  /// channels exist, and lanes past them must not be read.
  std::optional<int64_t> channels;
};

/// The access of `operand`, whose shape broadcasts to that of `result`; none when the layouts do
/// not fit (a full plain operand of a blocked result, or a blocked one of a plain result).
std::optional<Access> accessOf(const Type& operand, const Type& result);

/// Merges adjacent dimensions that every access walks as one. All strides vectors are changed.
void collapse(std::vector<int64_t>& extents, std::vector<std::vector<int64_t>*> strides);

/// The same within each part only: part i is [ends[i - 1], ends[i]). `ends` is changed as well.
void collapseParts(std::vector<int64_t>& extents, std::vector<std::vector<int64_t>*> strides,
                   std::vector<size_t>& ends);

} // namespace enfold::lower
