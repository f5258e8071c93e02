// Under which conditions ops need to run: what only one side of a select needs, it alone.
#pragma once

#include "ir/Graph.h"

#include <unordered_map>
#include <vector>

namespace enfold::lower {

/// A condition of one bool, and which value of it.
struct GuardTerm {
  const Value* condition = nullptr;
  bool wanted = true;

  bool operator==(const GuardTerm&) const = default;
};

/// Terms that must all hold, the outermost first.
using Guard = std::vector<GuardTerm>;

class Guards {
public:
  explicit Guards(const Graph& graph);

  /// The guard of an op; empty when it always runs. Conditions are known before the op is reached.
  const Guard& of(const Op& op) const {
    const auto known = guards_.find(&op);
    return known == guards_.end() ? always_ : known->second;
  }

private:
  Guard guardOf(const Op& op) const;

  Guard always_; ///< no terms
  std::unordered_map<const Op*, Guard> guards_;
  std::unordered_map<const Op*, size_t> order_;
};

} // namespace enfold::lower
