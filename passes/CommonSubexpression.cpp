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

/// Operands for the concatenation `op` that make it continue one of `concats`: the first of them is
/// the result of that. Its own where it continues none.
std::vector<Value*> continuedOperands(const Op& op, const std::vector<Op*>& concats) {
  std::vector<Value*> operands(op.operands().begin(), op.operands().end());
  const auto beginsAs = [&](const Op* other) {
    const auto first = other->operands();
    return other->attrs() == op.attrs() && first.size() < operands.size() &&
           std::equal(first.begin(), first.end(), operands.begin());
  };
  // What an earlier one continues has become its own first operand.
  for (auto it = concats.begin(); it != concats.end();) {
    it = std::find_if(it, concats.end(), beginsAs);
    if (it == concats.end()) break;
    operands.erase(operands.begin() + 1,
                   operands.begin() + static_cast<ptrdiff_t>((*it)->operands().size()));
    operands.front() = (*it)->result();
    it = concats.begin();
  }
  return operands;
}

/// The concatenation that stands for `op` from now on.
Op* continueConcat(PassContext& context, Op& op, const std::vector<Op*>& concats) {
  std::vector<Value*> operands = continuedOperands(op, concats);
  if (operands.size() == op.operands().size() || !context.begin(op)) return &op;
  context.applied(Reason::Simplified, op, "it continues %" + operands.front()->name());
  Rewriter& rewriter = context.rewriter();
  const std::string name = op.result()->name();
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
