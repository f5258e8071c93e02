// Recurrent operators. Weights of the input may be absent in the graph's ops, never in a node.
#include "onnx/adapters/Adapters.h"
#include "onnx/adapters/Compose.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

namespace enfold::onnx {
namespace {

/// Weights [directions, inputs, rows] of integers, with a scale and a zero point each direction or
/// each of its rows, as floats [directions, rows, inputs].
Result<Value*> dequantized(Node& node, size_t weights, size_t scale) {
  ENFOLD_TRY(Value * w, node.required(weights));
  ENFOLD_TRY(Value * factor, node.required(scale));
  if (w->type().rank() != 3 || !isInteger(w->elem()))
    return failure(ErrorCode::ShapeMismatch, fmt::format("its weights are {}", w->type().str()));
  const int64_t directions = w->shape()[0], rows = w->shape()[2];
  Compose to(node);
  const auto perRow = [&](Value* x) -> Result<Value*> {
    if (x->shape() == Shape{directions, rows}) return to.reshape(x, {directions, 1, rows});
    if (x->type().numElements() == directions) return to.reshape(x, {directions, 1, 1});
    return invalid(fmt::format("a scale or zero point of its weights {} is {}", w->type().str(),
                               x->type().str()));
  };
  ENFOLD_TRY(Value * numbers, to.cast(w, ElemType::F32));
  if (Value* zero = node.operand(scale + 1)) {
    ENFOLD_TRY(zero, to.cast(zero, ElemType::F32));
    ENFOLD_TRY(zero, perRow(zero));
    ENFOLD_TRY(numbers, to.binary(OpKind::Sub, numbers, zero));
  }
  ENFOLD_TRY(factor, perRow(factor));
  ENFOLD_TRY(numbers, to.binary(OpKind::Mul, numbers, factor));
  return to.transpose(numbers, {0, 2, 1});
}

} // namespace

Result<Values> recurrence(Node& node) {
  ENFOLD_RETURN_IF_ERROR(node.required(1));
  return node.finish();
}

// ONNX Runtime rounds inputs and states to 8 bits as well, each step anew; these are kept as
// floats.
Result<Values> dynamicQuantizeLSTM(Node& node) {
  ENFOLD_TRY(Value * w, dequantized(node, 1, 8));
  ENFOLD_TRY(Value * r, dequantized(node, 2, 10));
  node.operands.resize(8, nullptr);
  node.operands[1] = w;
  node.operands[2] = r;
  return node.finish(OpKind::LSTM);
}

// Whether the first result is wanted, which shows from its name.
Result<Values> recurrenceWithOutputFlag(Node& node) {
  ENFOLD_RETURN_IF_ERROR(node.takeRow<int64_t>("output_sequence: flag = 0"));
  return recurrence(node);
}

} // namespace enfold::onnx
