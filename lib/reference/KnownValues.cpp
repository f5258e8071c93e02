// Resolution of known values by a work list, so that a long chain of ops cannot exhaust the stack.
#include "reference/KnownValues.h"

#include "ir/Verifier.h"
#include "reference/Reference.h"

namespace enfold::reference {

bool readsTypeOnly(OpKind kind) {
  return kind == OpKind::Shape || kind == OpKind::Size || kind == OpKind::EyeLike;
}

bool KnownValues::isResolved(const Value* value) const {
  return value->constant() || known_.contains(value);
}

const Tensor* KnownValues::resolved(const Value* value) const {
  if (const Tensor* constant = value->constant()) return constant;
  const std::optional<Tensor>& tensor = known_.at(value);
  return tensor ? &*tensor : nullptr;
}

const Value* KnownValues::unresolvedOperand(const Op& op) const {
  if (readsTypeOnly(op.kind())) return nullptr;
  const Value* unresolved = nullptr;
  for (const Value* operand : op.operands()) {
    if (!operand) continue;
    if (!isResolved(operand))
      unresolved = unresolved ? unresolved : operand;
    else if (!resolved(operand))
      return nullptr; // one unknown operand decides
  }
  return unresolved;
}

void KnownValues::evaluateOp(const Op& op) {
  for (size_t i = 0; i < op.numResults(); ++i) known_[op.result(i)] = std::nullopt;
  std::vector<Tensor> typesOnly;
  std::vector<const Tensor*> operands;
  typesOnly.reserve(op.operands().size());
  for (const Value* operand : op.operands()) {
    if (!operand) {
      operands.push_back(nullptr);
    } else if (readsTypeOnly(op.kind())) {
      typesOnly.emplace_back(operand->elem(), operand->shape(), nullptr);
      operands.push_back(&typesOnly.back());
    } else {
      if (!isResolved(operand)) return; // since another is unknown
      operands.push_back(resolved(operand));
      if (!operands.back() || operands.back()->numElements() > maxElements_) return;
    }
  }
  auto results = evaluate(op, operands);
  if (!results) {
    failure_ = std::move(results).error();
    return;
  }
  for (size_t i = 0; i < op.numResults(); ++i)
    if ((*results)[i].shape() == op.result(i)->shape())
      known_[op.result(i)] = std::move((*results)[i]);
}

const Tensor* KnownValues::lookup(const Value* value) {
  std::vector<const Value*> pending{value};
  while (!pending.empty()) {
    const Value* next = pending.back();
    const Op* op = next->producer();
    if (isResolved(next)) {
      pending.pop_back();
    } else if (next->type().numElements() == 0 && !(op && dependsOnData(*op))) {
      known_[next] = Tensor(next->elem(), next->shape());
    } else if (!op) {
      const Tensor* input = inputs_ ? inputs_(next) : nullptr;
      known_[next] = input ? std::optional(*input) : std::nullopt;
    } else if (next->type().numElements() > maxElements_) {
      known_[next] = std::nullopt;
    } else if (const Value* operand = unresolvedOperand(*op)) {
      pending.push_back(operand);
    } else {
      evaluateOp(*op);
    }
  }
  return resolved(value);
}

} // namespace enfold::reference
