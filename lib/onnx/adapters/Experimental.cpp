// Operators that early ONNX releases carried as experimental. They were removed from the standard,
// but models of that time (style transfer, converters of Core ML) still have them.
#include "onnx/adapters/Adapters.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

namespace enfold::onnx {
namespace {

/// factor * x, named last if `last`.
Result<Value*> times(Node& node, Value* x, float factor) {
  Value* scale = node.scalarConstant(x->elem(), factor, "factor");
  return node.emit(OpKind::Mul, {x, scale});
}

/// alpha * f(beta * x)
Result<Values> scaledFunction(Node& node, OpKind function) {
  ENFOLD_TRY(const float alpha, node.take<float>("alpha", 1.0f));
  ENFOLD_TRY(const float beta, node.take<float>("beta", 1.0f));
  ENFOLD_TRY(Value * x, node.required(0));
  ENFOLD_TRY(Value * inner, times(node, x, beta));
  ENFOLD_TRY(Value * outer, node.emit(function, {inner}));
  return node.finish(OpKind::Mul, {outer, node.scalarConstant(x->elem(), alpha, "alpha")});
}

} // namespace

// alpha * x + beta
Result<Values> affine(Node& node) {
  ENFOLD_TRY(const float alpha, node.take<float>("alpha", 1.0f));
  ENFOLD_TRY(const float beta, node.take<float>("beta", 0.0f));
  ENFOLD_TRY(Value * x, node.required(0));
  ENFOLD_TRY(Value * scaled, times(node, x, alpha));
  return node.finish(OpKind::Add, {scaled, node.scalarConstant(x->elem(), beta, "beta")});
}

// border = left, top, right, bottom; with scale = height, width only the left and top count.
Result<Values> crop(Node& node) {
  ENFOLD_TRY(const auto border, node.take<std::vector<int64_t>>("border"));
  ENFOLD_TRY(const auto scale, node.take<std::vector<int64_t>>("scale"));
  ENFOLD_TRY(Value * x, node.required(0));
  if (x->type().rank() != 4 || !border || border->size() != 4 || (scale && scale->size() != 2))
    return invalid(fmt::format("it needs an image and four borders, not {}", x->type().str()));
  const int64_t left = (*border)[0], top = (*border)[1];
  const int64_t height = x->shape()[2], width = x->shape()[3];
  const auto within = [](int64_t size, int64_t limit) { return size >= 0 && size <= limit; };
  if (!within(left, width) || !within(top, height) || !within((*border)[2], width - left) ||
      !within((*border)[3], height - top))
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("its borders do not fit {}", x->type().str()));
  if (scale && (!within((*scale)[0], height - top) || !within((*scale)[1], width - left)))
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("its scale does not fit {}", x->type().str()));
  const int64_t bottom = scale ? top + (*scale)[0] : height - (*border)[3];
  const int64_t right = scale ? left + (*scale)[1] : width - (*border)[2];
  Value* starts = node.intsConstant({top, left}, "starts");
  Value* ends = node.intsConstant({bottom, right}, "ends");
  Value* axes = node.intsConstant({2, 3}, "axes");
  return node.finish(OpKind::Slice, {x, starts, ends, axes});
}

// scale * x + bias, one bias a channel.
Result<Values> imageScaler(Node& node) {
  ENFOLD_TRY(const float scale, node.take<float>("scale", 1.0f));
  ENFOLD_TRY(const auto bias, node.take<std::vector<float>>("bias"));
  ENFOLD_TRY(Value * x, node.required(0));
  if (x->type().rank() != 4 || !bias || static_cast<int64_t>(bias->size()) != x->shape()[1])
    return invalid(
        fmt::format("it needs an image and a bias for every channel, not {}", x->type().str()));
  Tensor offsets(x->elem(), {x->shape()[1], 1, 1});
  for (size_t i = 0; i < bias->size(); ++i) offsets.setDouble(static_cast<int64_t>(i), (*bias)[i]);
  ENFOLD_TRY(Value * scaled, times(node, x, scale));
  return node.finish(OpKind::Add, {scaled, node.constant(std::move(offsets), "bias")});
}

Result<Values> parametricSoftplus(Node& node) { return scaledFunction(node, OpKind::Softplus); }
Result<Values> scaledTanh(Node& node) { return scaledFunction(node, OpKind::Tanh); }

Result<Values> scaleByAttribute(Node& node) {
  ENFOLD_TRY(const float scale, node.take<float>("scale", 1.0f));
  ENFOLD_TRY(Value * x, node.required(0));
  return node.finish(OpKind::Mul, {x, node.scalarConstant(x->elem(), scale, "scale")});
}

} // namespace enfold::onnx
