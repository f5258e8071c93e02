// restrict-algorithms: under strict accuracy, convolutions are computed by their definition.
// Winograd's transforms save multiplications but round more: their error grows with the size of the
// tile.
#include "passes/Pass.h"

namespace enfold {

Result<> restrictAlgorithms(PassContext& context) {
  if (context.options().accuracy != Accuracy::Strict) return {};
  for (const auto& op : context.graph().ops()) {
    if (op->kind() != OpKind::Conv && op->kind() != OpKind::ConvTranspose) continue;
    if (op->string("algorithm") == "direct") continue;
    if (!context.begin(*op)) return {};
    context.rewriter().setAttr(op.get(), "algorithm", std::string("direct"));
    context.applied(Reason::Strict, *op, "is computed by its definition");
  }
  return {};
}

} // namespace enfold
