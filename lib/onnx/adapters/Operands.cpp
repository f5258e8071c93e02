// Attributes that became operands: axes (opset 13 and 18), bounds of Clip (11), pads (11), slices
// (10), parts of Split (13), the count of TopK (10).
#include "onnx/adapters/Adapters.h"

#include <limits>

namespace enfold::onnx {

Result<Values> axesOperand(Node& node) {
  ENFOLD_RETURN_IF_ERROR(node.attrToOperand("axes", 1));
  return node.finish();
}

Result<Values> clipBounds(Node& node) {
  constexpr float kLargest = std::numeric_limits<float>::max();
  ENFOLD_TRY(const float least, node.take<float>("min", -kLargest));
  ENFOLD_TRY(const float most, node.take<float>("max", kLargest));
  ENFOLD_TRY(const Value* input, node.required(0));
  if (least != -kLargest) node.setOperand(1, node.scalarConstant(input->elem(), least, "min"));
  if (most != kLargest) node.setOperand(2, node.scalarConstant(input->elem(), most, "max"));
  return node.finish();
}

Result<Values> padOperands(Node& node) {
  ENFOLD_TRY(const Value* input, node.required(0));
  ENFOLD_RETURN_IF_ERROR(node.attrToOperand("pads", 1));
  ENFOLD_TRY(const float value, node.take<float>("value", 0.0f));
  if (value != 0.0f) node.setOperand(2, node.scalarConstant(input->elem(), value, "value"));
  return node.finish();
}

Result<Values> sliceOperands(Node& node) {
  ENFOLD_RETURN_IF_ERROR(node.attrToOperand("starts", 1));
  ENFOLD_RETURN_IF_ERROR(node.attrToOperand("ends", 2));
  ENFOLD_RETURN_IF_ERROR(node.attrToOperand("axes", 3));
  return node.finish();
}

Result<Values> splitSizes(Node& node) {
  ENFOLD_RETURN_IF_ERROR(node.attrToOperand("split", 1));
  if (node.operand(1) == nullptr)
    node.attrs.insert_or_assign("num_outputs", static_cast<int64_t>(node.results.size()));
  return node.finish();
}

Result<Values> topkCount(Node& node) {
  ENFOLD_TRY(const auto count, node.take<int64_t>("k"));
  if (count) node.setOperand(1, node.intsConstant({*count}, "k"));
  return node.finish();
}

} // namespace enfold::onnx
