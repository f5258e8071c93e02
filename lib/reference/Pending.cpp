// Ops whose reference functions are still to be written: each says so. This file goes away with the
// last of them.
#include "reference/EvalContext.h"

namespace enfold::reference {

#define ENFOLD_PENDING(kind)                                                                       \
  Result<> eval##kind(EvalContext& context) {                                                      \
    return unsupported(context.info().name + " has no reference function yet");                    \
  }
ENFOLD_PENDING(DeformConv)
ENFOLD_PENDING(Einsum)
ENFOLD_PENDING(RoiAlign)
ENFOLD_PENDING(ScatterElements)
ENFOLD_PENDING(ScatterND)
ENFOLD_PENDING(Col2Im)
ENFOLD_PENDING(AffineGrid)
ENFOLD_PENDING(GridSample)
ENFOLD_PENDING(NonMaxSuppression)
ENFOLD_PENDING(QuantizeLinear)
ENFOLD_PENDING(DequantizeLinear)
ENFOLD_PENDING(DynamicQuantizeLinear)
ENFOLD_PENDING(QLinearConv)
ENFOLD_PENDING(QLinearMatMul)
#undef ENFOLD_PENDING

} // namespace enfold::reference
