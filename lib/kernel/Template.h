// Kernels that differ in integers only share code: a kernel's skeleton is all of it that decides
// code but the integers that sizes decide, and a general kernel loads those that vary, from one
// more parameter.
#pragma once

#include "kernel/Kernel.h"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace enfold::kir {

/// A kernel taken apart. The strides of strided loads are numbers, except small ones. Two kernels
/// with the same `shape` differ in their numbers only, and their numbers come in the same order.
struct Skeleton {
  std::string shape;
  std::vector<int64_t> numbers; ///< integers, and the bits of doubles
  /// Of each number what it may share a parameter with: numbers of one group, if they differ by a
  /// constant, or of a negative group, if they are equal.
  std::vector<int32_t> groups;
};

Skeleton skeletonOf(const Kernel& kernel);

/// How numbers follow from parameters: each is a constant, or a parameter plus a constant.
class Parameters {
public:
  struct Number {
    int32_t parameter = -1; ///< -1: none
    int64_t offset = 0;     ///< the number, or what is added to the parameter
  };

  /// The fewest parameters that give each of the samples: numbers of kernels of one shape, of which
  /// there is at least one.
  static Parameters over(std::span<const std::vector<int64_t>> samples,
                         const std::vector<int32_t>& groups);

  const std::vector<Number>& numbers() const { return numbers_; }
  size_t count() const { return sources_.size(); }
  /// The parameters that give these numbers, if there are such.
  std::optional<std::vector<int64_t>> solve(const std::vector<int64_t>& numbers) const;

private:
  std::vector<Number> numbers_;
  std::vector<size_t> sources_; ///< of each parameter, the number that it is equal to
};

/// The kernel with its parameters in a buffer of i64 before its others, "sizes", whose numbers it
/// loads at its top. `kernel` is one of the samples that `parameters` are of. Sizes of buffers and
/// the number of iterations are those of `kernel` and mean nothing.
Kernel generalized(const Kernel& kernel, const Parameters& parameters);

} // namespace enfold::kir
