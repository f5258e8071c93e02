// Attributes that became operands: axes (opset 13 and 18), bounds of Clip (11), pads (11), slices
// (10), parts of Split (13), the count of TopK (10).
#include "onnx/adapters/Adapters.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

namespace enfold::onnx {

Result<Values> axesOperand(Node& node) {
  ENFOLD_RETURN_IF_ERROR(node.attrToOperand("axes", 1));
  return node.finish();
}

// Opset 6 gave the bounds defaults, the least and the greatest finite float: infinities are
// clipped, where the element type has a number for that.
Result<Values> clipBounds(Node& node) {
  ENFOLD_TRY(const auto least, node.take<float>("min"));
  ENFOLD_TRY(const auto most, node.take<float>("max"));
  ENFOLD_TRY(const Value* input, node.required(0));
  const bool isBounded = node.opset >= 6 && isFloat(input->elem());
  const auto setBound = [&](size_t i, std::optional<float> stated, float byDefault,
                            std::string_view role) -> Result<> {
    if (!stated && (!isBounded || node.operand(i))) return {};
    Tensor bound(input->elem(), {});
    bound.setDouble(0, stated.value_or(byDefault));
    const bool clips = stated || std::isfinite(bound.asDouble(0));
    return clips ? node.addOperand(i, node.constant(std::move(bound), role), role) : Result<>{};
  };
  ENFOLD_RETURN_IF_ERROR(setBound(1, least, std::numeric_limits<float>::lowest(), "min"));
  ENFOLD_RETURN_IF_ERROR(setBound(2, most, std::numeric_limits<float>::max(), "max"));
  return node.finish();
}

Result<Values> padOperands(Node& node) {
  ENFOLD_TRY(const Value* input, node.required(0));
  ENFOLD_RETURN_IF_ERROR(node.attrToOperand("pads", 1));
  ENFOLD_TRY(const float value, node.take<float>("value", 0.0f));
  if (value != 0.0f)
    ENFOLD_RETURN_IF_ERROR(
        node.addOperand(2, node.scalarConstant(input->elem(), value, "value"), "value"));
  return node.finish();
}

Result<Values> sliceOperands(Node& node) {
  ENFOLD_RETURN_IF_ERROR(node.attrToOperand("starts", 1));
  ENFOLD_RETURN_IF_ERROR(node.attrToOperand("ends", 2));
  ENFOLD_RETURN_IF_ERROR(node.attrToOperand("axes", 3));
  return node.finish();
}

// Without sizes, parts were equal: a smaller last one came with opset 18.
Result<Values> splitSizes(Node& node) {
  ENFOLD_RETURN_IF_ERROR(node.attrToOperand("split", 1));
  if (node.operand(1)) return node.finish();
  const auto parts = static_cast<int64_t>(node.results.size());
  ENFOLD_TRY(const Value* x, node.required(0));
  const auto axis = node.attrs.find("axis");
  const auto* stated = axis == node.attrs.end() ? nullptr : std::get_if<int64_t>(&axis->second);
  ENFOLD_TRY(const int64_t at, normalizeAxis(stated ? *stated : 0, x->type().rank()));
  const int64_t size = x->shape()[static_cast<size_t>(at)];
  if (parts == 0 || size % parts)
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("{} elements are no {} equal parts", size, parts));
  node.attrs.insert_or_assign("num_outputs", parts);
  return node.finish();
}

Result<Values> topkCount(Node& node) {
  ENFOLD_TRY(const auto count, node.take<int64_t>("k"));
  if (count) ENFOLD_RETURN_IF_ERROR(node.addOperand(1, node.intsConstant({*count}, "k"), "k"));
  return node.finish();
}

} // namespace enfold::onnx
