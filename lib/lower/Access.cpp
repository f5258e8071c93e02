// Strides of broadcast operands in plain and blocked layouts.
#include "lower/Access.h"

#include "kernel/LooseRanges.h"

namespace enfold::lower {
namespace {

/// Strides of a plain operand per logical dimension of the result, 0 where it broadcasts.
std::vector<int64_t> logicalStrides(const Shape& operand, const Shape& result) {
  std::vector<int64_t> strides(result.size(), 0);
  int64_t stride = 1;
  for (size_t i = 0; i < operand.size(); ++i) {
    const size_t from = operand.size() - 1 - i, to = result.size() - 1 - i;
    if (operand[from] != 1) strides[to] = stride;
    stride *= operand[from];
  }
  return strides;
}

std::optional<Access> blockedAccess(const Type& operand, const Type& result) {
  if (operand.shape.size() != result.shape.size() || operand.shape[1] != result.shape[1])
    return std::nullopt;
  const std::vector<int64_t> extents = physicalExtents(operand);
  Access access{denseStrides(extents), std::nullopt};
  for (size_t i = 0; i < extents.size(); ++i)
    if (extents[i] == 1 && i + 1 != extents.size()) access.strides[i] = 0;
  return access;
}

std::optional<Access> plainToBlocked(const Type& operand, const Type& result) {
  const int64_t block = result.layout.block;
  const std::vector<int64_t> logical = logicalStrides(operand.shape, result.shape);
  // Only channels that lie next to each other, or do not matter, can be lanes.
  if (logical[1] > 1) return std::nullopt;
  Access access;
  access.strides = {logical[0], logical[1] * block};
  access.strides.insert(access.strides.end(), logical.begin() + 2, logical.end());
  access.strides.push_back(logical[1]);
  if (logical[1] == 1) access.channels = result.shape[1];
  return access;
}

} // namespace

std::vector<int64_t> physicalExtents(const Type& type) {
  if (type.layout.isPlain()) return type.shape.empty() ? Shape{1} : type.shape;
  const int64_t block = type.layout.block;
  std::vector<int64_t> extents = {type.shape[0], (type.shape[1] + block - 1) / block};
  extents.insert(extents.end(), type.shape.begin() + 2, type.shape.end());
  extents.push_back(block);
  return extents;
}

int64_t elementsOf(const Type& type) {
  return type.numBytes() / static_cast<int64_t>(byteSize(type.elem));
}

std::vector<int64_t> denseStrides(const std::vector<int64_t>& extents) {
  std::vector<int64_t> strides(extents.size(), 1);
  for (size_t i = extents.size(); i-- > 1;) strides[i - 1] = strides[i] * extents[i];
  return strides;
}

std::optional<Access> accessOf(const Type& operand, const Type& result) {
  if (operand.layout.isPlain() && result.layout.isPlain()) {
    Access access{logicalStrides(operand.shape, result.shape), std::nullopt};
    if (access.strides.empty()) access.strides = {0};
    return access;
  }
  if (operand.numElements() == 1)
    return Access{std::vector<int64_t>(physicalExtents(result).size(), 0), std::nullopt};
  if (operand.layout.isPlain()) return plainToBlocked(operand, result);
  if (operand.layout == result.layout) return blockedAccess(operand, result);
  return std::nullopt;
}

void collapse(std::vector<int64_t>& extents, std::vector<std::vector<int64_t>*> strides) {
  for (size_t i = extents.size(); i-- > 1;) {
    bool merge = true;
    for (const auto* s : strides) merge &= (*s)[i - 1] == (*s)[i] * extents[i];
    // A dimension of size 1 merges with anything: its stride is never used.
    // But where loose ranges are wanted the first one may count images.
    const bool mayBeMore = i == 1 && kir::LooseRanges::areWanted();
    const bool outerIsOne = extents[i - 1] == 1 && !mayBeMore, innerIsOne = extents[i] == 1;
    if (!merge && !outerIsOne && !innerIsOne) continue;
    for (auto* s : strides) {
      const size_t gone = (merge || outerIsOne) ? i - 1 : i;
      s->erase(s->begin() + static_cast<ptrdiff_t>(gone));
    }
    extents[i - 1] *= extents[i];
    extents.erase(extents.begin() + static_cast<ptrdiff_t>(i));
  }
}

void collapseParts(std::vector<int64_t>& extents, std::vector<std::vector<int64_t>*> strides,
                   std::vector<size_t>& ends) {
  std::vector<std::vector<int64_t>*> all = strides;
  all.push_back(&extents);
  std::vector<std::vector<int64_t>> merged(all.size());
  size_t begin = 0;
  for (size_t& end : ends) {
    std::vector<std::vector<int64_t>> part;
    for (const auto* whole : all)
      part.emplace_back(whole->begin() + static_cast<ptrdiff_t>(begin),
                        whole->begin() + static_cast<ptrdiff_t>(end));
    std::vector<std::vector<int64_t>*> pointers;
    for (size_t i = 0; i < strides.size(); ++i) pointers.push_back(&part[i]);
    collapse(part.back(), pointers);
    for (size_t i = 0; i < all.size(); ++i)
      merged[i].insert(merged[i].end(), part[i].begin(), part[i].end());
    begin = end;
    end = merged.back().size();
  }
  for (size_t i = 0; i < all.size(); ++i) *all[i] = std::move(merged[i]);
}

} // namespace enfold::lower
