// common-subexpression: of ops that compute the same from the same operands, one is kept. Every op
// of the IR is a pure function of its operands and attributes.
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

} // namespace

Result<> commonSubexpression(PassContext& context) {
  std::unordered_map<uint64_t, std::vector<Op*>> seen;
  for (auto it = context.graph().ops().begin(); it != context.graph().ops().end();) {
    Op& op = **it++;
    std::vector<Op*>& alike = seen[hashOf(op)];
    const auto found =
        std::ranges::find_if(alike, [&](const Op* other) { return same(op, *other); });
    if (found == alike.end()) {
      alike.push_back(&op);
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
