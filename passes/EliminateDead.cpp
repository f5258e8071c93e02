// eliminate-dead: removes ops none of whose results is read. Graph inputs stay: they are the
// network's interface.
#include "passes/Pass.h"

namespace enfold {

Result<> eliminateDead(PassContext& context) {
  const auto& ops = context.graph().ops();
  // From the end, so that what only dead ops read dies in the same sweep.
  for (auto it = ops.end(); it != ops.begin();) {
    Op& op = **std::prev(it);
    bool used = false;
    for (size_t i = 0; i < op.numResults(); ++i) used |= op.result(i)->numUses() != 0;
    if (used) {
      --it;
      continue;
    }
    if (!context.begin(op)) return {};
    if (op.kind() != OpKind::Constant)
      context.applied(Reason::Removed, op, "nothing reads its result");
    context.rewriter().erase(&op);
  }
  return {};
}

} // namespace enfold
