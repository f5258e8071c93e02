// Forms of opsets 1 to 6. Broadcasting was asked for by an attribute and aligned by an axis; flags
// told training from inference; some operands were attributes. Hints on reusing memory
// (consumed_inputs) are ignored everywhere.
#include "onnx/adapters/Adapters.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace enfold::onnx {
namespace {

struct TypeName {
  std::string_view name;
  ElemType elem;
};
constexpr TypeName kTypeNames[] = {
    {"bool", ElemType::Bool},   {"double", ElemType::F64}, {"float", ElemType::F32},
    {"float16", ElemType::F16}, {"int16", ElemType::I16},  {"int32", ElemType::I32},
    {"int64", ElemType::I64},   {"int8", ElemType::I8},    {"uint16", ElemType::U16},
    {"uint32", ElemType::U32},  {"uint64", ElemType::U64}, {"uint8", ElemType::U8},
};

/// `b` with trailing axes of size 1, so that its first axis meets `axis` of a tensor of `rank`.
Result<Value*> alignedAt(Node& node, Value* b, int64_t axis, int64_t rank) {
  ENFOLD_TRY(axis, normalizeAxis(axis, rank));
  const int64_t missing = rank - axis - b->type().rank();
  if (missing < 0)
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("its operand {} does not fit at axis {}", b->type().str(), axis));
  if (missing == 0) return b;
  Shape shape = b->shape();
  shape.insert(shape.end(), static_cast<size_t>(missing), 1);
  return node.emit(OpKind::Reshape, {b, node.intsConstant(shape, "aligned")});
}

} // namespace

// Without the attribute, shapes had to be equal; they broadcast alike now.
Result<Values> axisBroadcast(Node& node) {
  ENFOLD_RETURN_IF_ERROR(node.takeRow<int64_t>("broadcast: flag = 0"));
  ENFOLD_TRY(const auto axis, node.take<int64_t>("axis"));
  ENFOLD_TRY(const Value* a, node.required(0));
  ENFOLD_TRY(Value * b, node.required(1));
  if (axis && b->type().rank() > 0) {
    ENFOLD_TRY(node.operands[1], alignedAt(node, b, *axis, a->type().rank()));
  }
  return node.finish();
}

// A node in test mode has one result.
Result<Values> batchNormInTest(Node& node) {
  ENFOLD_RETURN_IF_ERROR(node.takeRow<int64_t>("is_test: flag = 0"));
  return batchNormByOutputs(node);
}

Result<Values> castByName(Node& node) {
  ENFOLD_TRY(auto name, node.take<std::string>("to"));
  if (!name) return failure(ErrorCode::BadAttribute, "it lacks its attribute 'to'");
  std::ranges::transform(*name, name->begin(), [](unsigned char c) { return std::tolower(c); });
  const auto* type = std::ranges::find(kTypeNames, *name, &TypeName::name);
  if (type == std::end(kTypeNames))
    return failure(
        ErrorCode::BadAttribute,
        fmt::format("attribute 'to' of {} is '{}', which is no element type", node.type, *name));
  node.attrs.insert_or_assign("to", type->elem);
  return node.finish();
}

Result<Values> concatOfChannels(Node& node) {
  node.attrs.emplace("axis", int64_t{1});
  return node.finish();
}

Result<Values> gemmBroadcast(Node& node) {
  ENFOLD_RETURN_IF_ERROR(node.takeRow<int64_t>("broadcast: flag = 0"));
  return node.finish();
}

Result<Values> padPaddings(Node& node) {
  ENFOLD_TRY(auto pads, node.take<std::vector<int64_t>>("paddings"));
  if (pads) node.attrs.emplace("pads", *std::move(pads));
  return padOperands(node);
}

// A slope is one number, or one a channel, whatever the other sizes are.
Result<Values> preluOfChannels(Node& node) {
  ENFOLD_TRY(const Value* x, node.required(0));
  ENFOLD_TRY(Value * slope, node.required(1));
  if (slope->type().rank() == 1 && slope->shape()[0] != 1 && x->type().rank() > 1) {
    ENFOLD_TRY(node.operands[1], alignedAt(node, slope, 1, x->type().rank()));
  }
  return node.finish();
}

Result<Values> reshapeByAttribute(Node& node) {
  ENFOLD_RETURN_IF_ERROR(node.attrToOperand("shape", 1));
  return node.finish();
}

// Its defaults had fewer digits.
Result<Values> roundedSelu(Node& node) {
  node.attrs.emplace("alpha", 1.6732f);
  node.attrs.emplace("gamma", 1.0507f);
  return node.finish();
}

Result<Values> testDropout(Node& node) {
  ENFOLD_RETURN_IF_ERROR(node.takeRow<int64_t>("is_test: flag = 0"));
  return inferenceDropout(node);
}

} // namespace enfold::onnx
