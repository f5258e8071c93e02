// common-subexpression: of ops that compute the same from the same operands, one is kept. Every op
// of the IR is a pure function of its operands and attributes. A concatenation that begins as an
// earlier one does continues that one, so that both can lie in the same memory.
#include "passes/Pass.h"
#include "support/Hash.h"

#include <algorithm>
#include <unordered_map>

namespace enfold {
namespace {

uint64_t hashOf(const Op& op) {
  uint64_t seed = hashCombine(static_cast<uint64_t>(op.kind()), hash(op.attrs()));
  for (const Value* operand : op.operands())
    seed = hashCombine(seed, reinterpret_cast<uintptr_t>(operand));
  return hashCombine(seed, op.epilogue().size());
}

bool same(const Op& a, const Op& b) {
  if (a.kind() != b.kind() || a.numResults() != b.numResults() ||
      !std::ranges::equal(a.operands(), b.operands()) ||
      !std::ranges::equal(a.epilogue(), b.epilogue()) || a.attrs() != b.attrs())
    return false;
  for (size_t i = 0; i < a.numResults(); ++i)
    if (a.result(i)->type() != b.result(i)->type()) return false;
  return true;
}

/// Of the concatenations, the one of most of the first operands of `op` but not all; null if none.
Op* longestBeginning(const Op& op, const std::vector<Op*>& concats) {
  Op* longest = nullptr;
  for (Op* other : concats) {
    const size_t count = other->operands().size();
    const bool begins = count < op.operands().size() && other->attrs() == op.attrs() &&
                        std::ranges::equal(other->operands(), op.operands().first(count));
    if (begins && (!longest || count > longest->operands().size())) longest = other;
  }
  return longest;
}

/// The concatenation that stands for `op` from now on.
Op* continueConcat(PassContext& context, Op& op, const std::vector<Op*>& concats) {
  Op* beginning = longestBeginning(op, concats);
  if (!beginning || !context.begin(op)) return &op;
  context.applied(Reason::Simplified, op, "it continues %" + beginning->result()->name());
  Rewriter& rewriter = context.rewriter();
  const std::string name = op.result()->name();
  std::vector<Value*> operands = {beginning->result()};
  const auto rest = op.operands().subspan(beginning->operands().size());
  operands.insert(operands.end(), rest.begin(), rest.end());
  Op* made = rewriter.create(
      {.kind = OpKind::Concat, .operands = std::move(operands), .attrs = op.attrs()}, &op);
  rewriter.addOrigins(made, op.origins());
  rewriter.replace(op.result(), made->result());
  rewriter.erase(&op);
  rewriter.rename(made->result(), name);
  return made;
}

} // namespace

Result<> commonSubexpression(PassContext& context) {
  std::unordered_map<uint64_t, std::vector<Op*>> seen;
  std::vector<Op*> concats;
  for (auto it = context.graph().ops().begin(); it != context.graph().ops().end();) {
    Op& op = **it++;
    std::vector<Op*>& alike = seen[hashOf(op)];
    const auto found =
        std::ranges::find_if(alike, [&](const Op* other) { return same(op, *other); });
    if (found == alike.end()) {
      Op* kept = &op;
      if (op.kind() == OpKind::Concat && op.epilogue().empty())
        concats.push_back(kept = continueConcat(context, op, concats));
      alike.push_back(kept);
      continue;
    }
    if (!context.begin(op)) return {};
    if (op.kind() != OpKind::Constant)
      context.applied(Reason::Merged, op, "the same as %" + (*found)->result()->name());
    for (size_t i = 0; i < op.numResults(); ++i)
      context.rewriter().replace(op.result(i), (*found)->result(i));
    context.rewriter().addOrigins(*found, op.origins());
    context.rewriter().erase(&op);
  }
  return {};
}

} // namespace enfold
