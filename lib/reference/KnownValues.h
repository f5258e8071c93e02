// Values known at compile time: constants, shapes, tensors without elements, and what pure ops make
// of them.
//
// Importers and passes ask for shapes that a model computes at run time although all that goes in
// is fixed. Lookups are memoized by address, so values must not be erased while one is in use.
#pragma once

#include "ir/Graph.h"

#include <functional>
#include <optional>
#include <unordered_map>

namespace enfold::reference {

/// Whether ops of that kind read the type of their operand, never its numbers.
bool readsTypeOnly(OpKind kind);

class KnownValues {
public:
  /// The value of a graph input if it has one all the same (a default), else null.
  using InputLookup = std::function<const Tensor*(const Value* input)>;

  static constexpr int64_t kMostElements = int64_t{1} << 18;

  /// Only tensors of at most `maxElements` elements are computed or computed from; constants are
  /// known whatever their size.
  explicit KnownValues(InputLookup inputs = {}, int64_t maxElements = kMostElements)
      : inputs_(std::move(inputs)), maxElements_(maxElements) {}

  /// The value, or null if it is unknown: it depends on graph inputs, is too large, or its
  /// computation fails. The tensor lives as long as this object (a constant, as long as its op).
  const Tensor* lookup(const Value* value);
  /// Why the latest computation failed, if one did.
  const std::optional<Error>& failure() const { return failure_; }

private:
  bool isResolved(const Value* value) const;
  const Tensor* resolved(const Value* value) const;
  /// An operand to resolve before `op` can be, or null when all that matter are.
  const Value* unresolvedOperand(const Op& op) const;
  void evaluateOp(const Op& op);

  InputLookup inputs_;
  int64_t maxElements_;
  std::unordered_map<const Value*, std::optional<Tensor>> known_;
  std::optional<Error> failure_;
};

} // namespace enfold::reference
