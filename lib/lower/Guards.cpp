// Guards from the last op to the first: an op's is what those of all its readers share.
#include "lower/Guards.h"

#include <algorithm>

namespace enfold::lower {
namespace {

/// The guard under which `user` reads the value: its own, and its choice if it selects.
Guard readingGuard(const Op& user, const Value* value, const Guard& own) {
  Guard guard = own;
  if (user.kind() != OpKind::Select) return guard;
  const bool yes = user.own(1) == value, no = user.own(2) == value;
  if (user.own(0) != value && yes != no) guard.push_back({user.own(0), yes});
  return guard;
}

} // namespace

Guards::Guards(const Graph& graph) {
  const auto selects = [](const auto& op) { return op->kind() == OpKind::Select; };
  if (std::ranges::none_of(graph.ops(), selects)) return;
  for (const auto& op : graph.ops()) order_.emplace(op.get(), order_.size());
  for (auto it = graph.ops().rbegin(); it != graph.ops().rend(); ++it)
    guards_.emplace(it->get(), guardOf(**it));
}

Guard Guards::guardOf(const Op& op) const {
  std::optional<Guard> shared;
  for (size_t i = 0; i < op.numResults(); ++i) {
    const Value* value = op.result(i);
    if (value->outputUses() > 0) return {};
    for (const Op* user : value->users()) {
      const Guard guard = readingGuard(*user, value, guards_.at(user));
      if (!shared) {
        shared = guard;
      } else {
        const auto end = std::ranges::mismatch(*shared, guard).in1;
        shared->erase(end, shared->end());
      }
    }
  }
  if (!shared) return {};
  // A condition that is computed behind the op says nothing to it in time.
  const auto isLate = [&](const GuardTerm& term) {
    const Op* producer = term.condition->producer();
    return producer && order_.at(producer) >= order_.at(&op);
  };
  shared->erase(std::ranges::find_if(*shared, isLate), shared->end());
  return *std::move(shared);
}

} // namespace enfold::lower
