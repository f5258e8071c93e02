// What weights became when something was folded into them. A network that is compiled for many
// sizes of its inputs folds the same numbers for each of them: they are folded once.
#pragma once

#include "passes/Weights.h"

#include <mutex>
#include <unordered_map>

namespace enfold {

/// Weights and bias of a linear op with a scale and shift in them.
struct FoldedWeights {
  Tensor weights;
  std::optional<Tensor> bias;
  FoldedNumbers found;
};

/// Safe to use from several threads. Keeps what was folded, but not what it was folded from: when
/// that is gone, both are forgotten.
class FoldMemory {
public:
  /// What decides a fold. Tensors are the same if they share their bytes.
  struct Fold {
    const Tensor* weights;
    const Tensor* bias;          ///< null: none, or it is not read
    std::vector<double> numbers; ///< whatever else
  };

  std::optional<FoldedWeights> find(const Fold& fold) const;
  void add(const Fold& fold, const FoldedWeights& folded);
  size_t size() const;

private:
  using Bytes = std::weak_ptr<const std::byte>;
  struct Known {
    Type weights;
    Bytes weightBytes;
    std::optional<Type> bias;
    Bytes biasBytes;
    std::vector<double> numbers;
    FoldedWeights folded;

    bool isOf(const Fold& fold) const;
    bool isGone() const { return weightBytes.expired() || (bias && biasBytes.expired()); }
  };

  mutable std::mutex mutex_;
  std::unordered_multimap<const std::byte*, Known> known_; ///< by where the weights lie
};

} // namespace enfold
