// Kernels of one shape (kernel/Skeleton.h) share code: a general kernel loads the numbers that
// vary, from one more buffer.
#pragma once

#include "kernel/Skeleton.h"

#include <optional>
#include <span>
#include <vector>

namespace enfold::kir {

/// How the numbers of kernels of one shape follow from parameters: each is a constant, or a
/// parameter plus a constant.
class Parameters {
public:
  struct Number {
    int64_t parameter = -1; ///< -1: none
    int64_t offset = 0;     ///< the number, or what is added to the parameter
  };

  Parameters() = default;
  /// Those that numbers() and sources() of others tell.
  Parameters(std::vector<Number> numbers, std::vector<size_t> sources)
      : numbers_(std::move(numbers)), sources_(std::move(sources)) {}
  /// All numbers are constants, but for loose ones.
  Parameters(const std::vector<int64_t>& numbers, const std::vector<int32_t>& groups);
  /// Numbers of another kernel of the same shape are parameters where these are.
  Parameters like(const std::vector<int64_t>& numbers, const std::vector<int32_t>& groups) const;

  /// Makes them give these numbers too, by the fewest parameters more. What is a parameter stays
  /// one.
  void admit(const std::vector<int64_t>& numbers, const std::vector<int32_t>& groups);

  const std::vector<Number>& numbers() const { return numbers_; }
  /// Of each parameter, the number that it is equal to.
  const std::vector<size_t>& sources() const { return sources_; }
  size_t count() const { return sources_.size(); }
  /// The parameters that give these numbers, if there are such.
  std::optional<std::vector<int64_t>> solve(const std::vector<int64_t>& numbers) const;

private:
  /// Numbers that share a parameter have the same key; those that are constants have none.
  template <typename KeyOf> void assign(const std::vector<int64_t>& numbers, const KeyOf& keyOf);

  std::vector<Number> numbers_;
  std::vector<size_t> sources_;
};

/// The kernel with its parameters in a buffer of i64 before its others, "sizes", whose numbers it
/// loads at its top. `parameters` give the numbers of `kernel`. Sizes of buffers and the number of
/// iterations are those of `kernel` and mean nothing.
Kernel generalized(const Kernel& kernel, const Parameters& parameters);

} // namespace enfold::kir
