// An address means the same numbers as long as what lay there is alive.
#include "passes/FoldMemory.h"

#include <algorithm>
#include <bit>

namespace enfold {

bool FoldMemory::Known::isOf(const Fold& fold) const {
  const auto same = [](const Tensor& tensor, const Type& type, const Bytes& bytes) {
    return tensor.type() == type && tensor.share() == bytes.lock();
  };
  const auto bits = [](double x) { return std::bit_cast<uint64_t>(x); };
  if (isGone() || !same(*fold.weights, weights, weightBytes)) return false;
  if ((fold.bias != nullptr) != bias.has_value()) return false;
  if (bias && !same(*fold.bias, *bias, biasBytes)) return false;
  return std::ranges::equal(fold.numbers, numbers, {}, bits, bits);
}

std::optional<FoldedWeights> FoldMemory::find(const Fold& fold) const {
  const std::lock_guard lock(mutex_);
  const auto [first, last] = known_.equal_range(fold.weights->bytes());
  const auto found =
      std::find_if(first, last, [&](const auto& one) { return one.second.isOf(fold); });
  return found == last ? std::nullopt : std::optional(found->second.folded);
}

void FoldMemory::add(const Fold& fold, const FoldedWeights& folded) {
  Known known{.weights = fold.weights->type(),
              .weightBytes = fold.weights->share(),
              .numbers = fold.numbers,
              .folded = folded};
  if (fold.bias) {
    known.bias = fold.bias->type();
    known.biasBytes = fold.bias->share();
  }
  const std::lock_guard lock(mutex_);
  std::erase_if(known_, [](const auto& one) { return one.second.isGone(); });
  known_.emplace(fold.weights->bytes(), std::move(known));
}

size_t FoldMemory::size() const {
  const std::lock_guard lock(mutex_);
  return known_.size();
}

} // namespace enfold
