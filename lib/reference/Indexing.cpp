// Strides of dense and of broadcast tensors.
#include "reference/Indexing.h"

namespace enfold::reference {

Strides rowMajorStrides(const Shape& shape) {
  Strides strides(shape.size(), 1);
  for (size_t axis = shape.size(); axis-- > 1;) strides[axis - 1] = strides[axis] * shape[axis];
  return strides;
}

Strides broadcastStrides(const Shape& operand, const Shape& result) {
  ENFOLD_CHECK(operand.size() <= result.size(), "operand does not broadcast to the result");
  const Strides dense = rowMajorStrides(operand);
  Strides strides(result.size(), 0);
  const size_t lead = result.size() - operand.size();
  for (size_t axis = 0; axis < operand.size(); ++axis) {
    ENFOLD_CHECK(operand[axis] == result[lead + axis] || operand[axis] == 1,
                 "operand does not broadcast to the result");
    if (operand[axis] != 1) strides[lead + axis] = dense[axis];
  }
  return strides;
}

} // namespace enfold::reference
