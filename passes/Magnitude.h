// How large the numbers of a tensor can be, from what computes them.
#pragma once

#include "ir/Graph.h"

#include <optional>
#include <unordered_map>

namespace enfold {

/// Upper bounds of magnitudes, over all inputs that a graph may be given. They are known of tensors
/// of f32 that a graph computes from constants and from codes with constant scales.
///
/// Where there is a bound, every element is a number, neither NaN nor infinite, and so is whatever
/// any kernel computes on the way to it: a bound is 2^100 at most, and the transforms of a
/// convolution enlarge sums by less than 2^28.
class Magnitudes {
public:
  explicit Magnitudes(const Graph& graph);

  std::optional<double> boundOf(const Value* value) const;

private:
  double of(const Value* value) const;
  double resultOf(const Op& op) const;

  std::unordered_map<const Value*, double> results_;           ///< of ops that have one
  mutable std::unordered_map<const Value*, double> constants_; ///< of those asked for
};

} // namespace enfold
