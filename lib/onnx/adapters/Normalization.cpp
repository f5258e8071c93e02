// Older forms of the normalizations and of the softmax family.
#include "onnx/adapters/Adapters.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

namespace enfold::onnx {
namespace {

/// BatchNormalization with statistics for every element of an image instead of every channel
/// (`spatial` = 0, opset 7 and 8): plain arithmetic.
Result<Values> perElementNorm(Node& node) {
  ENFOLD_TRY(const float epsilon, node.takeRow<float>("epsilon: float = 1e-05 >= 0"));
  for (size_t i = 0; i < 5; ++i) ENFOLD_RETURN_IF_ERROR(node.required(i));
  Value *x = node.operands[0], *scale = node.operands[1], *bias = node.operands[2],
        *mean = node.operands[3], *variance = node.operands[4];
  Value* eps = node.scalarConstant(variance->elem(), epsilon, "epsilon");
  ENFOLD_TRY(Value * sum, node.emit(OpKind::Add, {variance, eps}));
  ENFOLD_TRY(Value * deviation, node.emit(OpKind::Sqrt, {sum}));
  ENFOLD_TRY(Value * factor, node.emit(OpKind::Div, {scale, deviation}));
  ENFOLD_TRY(Value * centered, node.emit(OpKind::Sub, {x, mean}));
  ENFOLD_TRY(Value * scaled, node.emit(OpKind::Mul, {centered, factor}));
  return node.finish(OpKind::Add, {scaled, bias});
}

} // namespace

// Before opset 14 there was no training_mode: a node with more than one result was in training.
Result<Values> batchNormByOutputs(Node& node) {
  const bool training = node.results.size() > 1;
  ENFOLD_TRY(const int64_t spatial, node.takeRow<int64_t>("spatial: flag = 1"));
  if (spatial == 0) {
    if (training) return unsupported("spatial = 0 is not supported in training mode");
    return perElementNorm(node);
  }
  if (training) {
    node.attrs.insert_or_assign("training_mode", int64_t{1});
    // saved_mean and saved_var are for computing gradients.
    if (node.results.size() > 3) node.results.resize(3);
    if (node.declared.size() > 3) node.declared.resize(3);
  }
  return node.finish();
}

// Until opset 20, scale and bias were given per group instead of per channel.
Result<Values> groupNormPerGroup(Node& node) {
  ENFOLD_TRY(const Value* x, node.required(0));
  if (x->type().rank() < 2) return invalid(fmt::format("its input is {}", x->type().str()));
  const int64_t channels = x->shape()[1];
  for (size_t i : {1, 2}) {
    ENFOLD_TRY(Value * perGroup, node.required(i));
    const int64_t groups = perGroup->type().numElements();
    if (perGroup->type().rank() != 1 || groups == 0 || channels % groups != 0)
      return failure(ErrorCode::ShapeMismatch,
                     fmt::format("its input {} is {}, which does not divide {} channels", i,
                                 perGroup->type().str(), channels));
    Value* column = node.intsConstant({groups, 1}, "column");
    Value* square = node.intsConstant({groups, channels / groups}, "expanded");
    Value* flat = node.intsConstant({channels}, "channels");
    ENFOLD_TRY(Value * tall, node.emit(OpKind::Reshape, {perGroup, column}));
    ENFOLD_TRY(Value * wide, node.emit(OpKind::Expand, {tall, square}));
    ENFOLD_TRY(node.operands[i], node.emit(OpKind::Reshape, {wide, flat}));
  }
  return node.finish();
}

// The experimental form (opset 1 to 8): per channel or across channels, the variance left alone on
// request.
Result<Values> experimentalMeanVarianceNorm(Node& node) {
  ENFOLD_TRY(const int64_t across, node.takeRow<int64_t>("across_channels: flag = 0"));
  ENFOLD_TRY(const int64_t normalize, node.takeRow<int64_t>("normalize_variance: flag = 1"));
  ENFOLD_TRY(Value * x, node.required(0));
  std::vector<int64_t> axes;
  for (int64_t axis = across ? 1 : 2; axis < x->type().rank(); ++axis) axes.push_back(axis);
  if (normalize) {
    node.attrs.insert_or_assign("axes", std::move(axes));
    return node.finish();
  }
  Value* over = node.intsConstant(axes, "axes");
  ENFOLD_TRY(Value * mean, node.emit(OpKind::ReduceMean, {x, over}));
  return node.finish(OpKind::Sub, {x, mean});
}

// Before opset 13, the dimensions from `axis` (default 1) on counted as one.
Result<Values> flattenedSoftmax(Node& node) {
  const auto kind = opByOnnxName(node.type);
  ENFOLD_CHECK(kind.has_value(), "softmax, log_softmax and hardmax are in the op table");
  ENFOLD_TRY(Value * x, node.required(0));
  ENFOLD_TRY(int64_t axis, node.take<int64_t>("axis", 1));
  const Shape& shape = x->shape();
  const int64_t rank = x->type().rank();
  if (axis == rank)
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("axis {} is out of range for rank {}", axis, rank));
  ENFOLD_TRY(axis, normalizeAxis(axis, rank));
  const auto split = shape.begin() + axis;
  const int64_t rows = numElements(Shape(shape.begin(), split));
  const int64_t columns = numElements(Shape(split, shape.end()));
  if (columns == *split) return node.finish(*kind, {x}, {{"axis", axis}});
  Value* flatShape = node.intsConstant({rows, columns}, "flat");
  Value* fullShape = node.intsConstant(shape, "full");
  ENFOLD_TRY(Value * flat, node.emit(OpKind::Reshape, {x, flatShape}, {{"allowzero", int64_t{1}}}));
  ENFOLD_TRY(Value * normal, node.emit(*kind, {flat}));
  return node.finish(OpKind::Reshape, {normal, fullShape}, {{"allowzero", int64_t{1}}});
}

} // namespace enfold::onnx
