// Constants, renamed operators and small differences between versions.
#include "onnx/adapters/Adapters.h"
#include "onnx/adapters/Random.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

namespace enfold::onnx {
namespace {

Result<Tensor> constantValue(const AttrValue& value) {
  switch (kindOf(value)) {
  case AttrKind::Tensor:
    return std::get<Tensor>(value);
  case AttrKind::Float:
    return Tensor::scalar(std::get<float>(value));
  case AttrKind::Int:
    return Tensor::scalar(std::get<int64_t>(value));
  case AttrKind::Floats: {
    const auto& list = std::get<std::vector<float>>(value);
    return Tensor::of<float>({static_cast<int64_t>(list.size())}, list);
  }
  case AttrKind::Ints: {
    const auto& list = std::get<std::vector<int64_t>>(value);
    return Tensor::of<int64_t>({static_cast<int64_t>(list.size())}, list);
  }
  default:
    return failure(ErrorCode::UnsupportedType, "constants of strings are not supported");
  }
}

} // namespace

// value, sparse_value, value_float(s), value_int(s): the kind of the attribute tells which.
Result<Values> constantForms(Node& node) {
  if (node.attrs.size() != 1 || !node.attrs.begin()->first.starts_with("value"))
    if (node.attrs.size() != 1 || node.attrs.begin()->first != "sparse_value")
      return failure(ErrorCode::BadAttribute,
                     "it must have exactly one attribute that holds its value");
  ENFOLD_TRY(Tensor value, constantValue(node.attrs.begin()->second));
  return node.finish(OpKind::Constant, {}, {{"value", std::move(value)}});
}

// Before opset 12, Dropout could not be in training mode, and before opset 10 its mask was a
// number.
Result<Values> inferenceDropout(Node& node) {
  ENFOLD_TRY(Value * x, node.required(0));
  node.drop({"ratio"});
  if (!node.wantsResult(1) || node.opset >= 10) return node.finish();
  const std::string maskName = std::exchange(node.results[1], "");
  ENFOLD_TRY(Values made, node.finish());
  node.results = {maskName};
  node.declared.clear();
  ENFOLD_TRY(const Values mask, node.finish(OpKind::Cast, {made[1]}, {{"to", x->elem()}}));
  made[1] = mask[0];
  return made;
}

// In training mode only a seed makes it a function: elements whose number is below the ratio become
// 0, the others grow to keep the mean.
Result<Values> seededDropout(Node& node) {
  ENFOLD_TRY(const auto seed, node.take<int64_t>("seed"));
  ENFOLD_TRY(Value * x, node.required(0));
  const Tensor* training = node.operand(2) ? node.known(node.operand(2)) : nullptr;
  if (!seed || !training || training->numElements() != 1 || training->asInt(0) == 0)
    return node.finish();
  ENFOLD_RETURN_IF_ERROR(checkRandomCount(x->shape()));
  Value* ratio = node.operand(1) ? node.operand(1) : node.scalarConstant(x->elem(), 0.5, "ratio");
  Value* numbers =
      node.constant(uniformNumbers(x->shape(), static_cast<uint32_t>(*seed)), "numbers");
  ENFOLD_TRY(Value * limit, node.emit(OpKind::Cast, {ratio}, {{"to", ElemType::F64}}));
  ENFOLD_TRY(Value * kept, node.emit(OpKind::GreaterOrEqual, {numbers, limit}));
  Value* one = node.scalarConstant(ratio->elem(), 1, "one");
  ENFOLD_TRY(Value * share, node.emit(OpKind::Sub, {one, ratio}));
  ENFOLD_TRY(Value * divisor, node.emit(OpKind::Cast, {share}, {{"to", x->elem()}}));
  ENFOLD_TRY(Value * grown, node.emit(OpKind::Div, {x, divisor}));
  Value* zero = node.scalarConstant(x->elem(), 0, "zero");
  const std::string mask = node.wantsResult(1) ? node.results[1] : "";
  ENFOLD_TRY(Values made, node.finish(OpKind::Where, {kept, grown, zero}));
  if (mask.empty()) return made;
  node.results = {mask};
  node.declared.clear();
  ENFOLD_TRY(const Values second, node.finish(OpKind::Identity, {kept}));
  made.push_back(second[0]);
  return made;
}

// A slope of one number a channel, as some exporters write it, does not broadcast as it stands.
Result<Values> preluSlope(Node& node) {
  ENFOLD_TRY(const Value* x, node.required(0));
  ENFOLD_TRY(Value * slope, node.required(1));
  const auto broadcast = broadcastShapes(x->shape(), slope->shape());
  const int64_t rank = x->type().rank();
  const bool perChannel = rank > 2 && slope->shape() == Shape{x->shape()[1]};
  if ((!broadcast || *broadcast != x->shape()) && perChannel) {
    std::vector<int64_t> shape(static_cast<size_t>(rank - 1), 1);
    shape[0] = x->shape()[1];
    Value* column = node.intsConstant(shape, "slope_shape");
    ENFOLD_TRY(node.operands[1], node.emit(OpKind::Reshape, {slope, column}));
  }
  return node.finish();
}

Result<Values> renamedScatter(Node& node) { return node.finish(OpKind::ScatterElements); }

// Since opset 23, QuantizeLinear divides in the type of the scale unless it says otherwise. Before,
// ONNX did not say; divided in f32, most quotients are rounded once.
Result<Values> quantizeInSingle(Node& node) {
  ENFOLD_TRY(const Value* scale, node.required(1));
  if (scale->elem() != ElemType::F16 && scale->elem() != ElemType::BF16) return node.finish();
  constexpr int64_t kFloat = 1; // the number of f32 in ONNX
  node.attrs.emplace("precision", kFloat);
  return node.finish();
}

} // namespace enfold::onnx
