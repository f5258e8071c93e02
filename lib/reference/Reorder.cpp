// Reorder changes how a tensor lies in memory, which the reference does not know of.
#include "reference/EvalContext.h"

namespace enfold::reference {

Result<> evalReorder(EvalContext& context) {
  context.result() = context.operand();
  return {};
}

} // namespace enfold::reference
