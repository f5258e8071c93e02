// Upsample and the older forms of Resize, GridSample and RoiAlign.
#include "onnx/adapters/Adapters.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <algorithm>

namespace enfold::onnx {
namespace {

Result<Values> finishResize(Node& node, Value* x, Value* scales, const std::string& mode,
                            const char* nearest) {
  AttrMap attrs{{"mode", mode}, {"coordinate_transformation_mode", std::string("asymmetric")}};
  if (mode == "nearest") attrs.emplace("nearest_mode", std::string(nearest));
  return node.finish(OpKind::Resize, {x, nullptr, scales}, std::move(attrs));
}

} // namespace

Result<Values> upsampleScalesAttr(Node& node) {
  ENFOLD_TRY(const auto scales, node.take<std::vector<float>>("scales"));
  if (!scales) return failure(ErrorCode::BadAttribute, "it lacks its attribute 'scales'");
  const Shape shape{static_cast<int64_t>(scales->size())};
  node.setOperand(1, node.constant(Tensor::of<float>(shape, *scales), "scales"));
  return upsampleScales(node);
}

// Upsample and Resize before opset 11 had no coordinate transformation: output o lies at o / scale.
// Which neighbour is nearest was left open; as ONNX Runtime does it, the lower one when enlarging,
// the upper one when shrinking.
Result<Values> upsampleScales(Node& node) {
  ENFOLD_TRY(Value * x, node.required(0));
  ENFOLD_TRY(Value * scales, node.required(1));
  ENFOLD_TRY(std::string mode,
             node.takeRow<std::string>("mode: string = nearest in {nearest, linear, bilinear}"));
  if (mode == "bilinear") mode = "linear";
  const Tensor* known = node.known(scales);
  if (mode == "linear" || known == nullptr || known->elem() != ElemType::F32)
    return finishResize(node, x, scales, mode, "floor");
  Tensor enlarging = *known, shrinking = *known;
  const auto atMostOne = [](float scale) { return std::min(scale, 1.0f); };
  const auto atLeastOne = [](float scale) { return std::max(scale, 1.0f); };
  const auto count = known->numElements();
  float *up = enlarging.mutableData<float>(), *down = shrinking.mutableData<float>();
  std::transform(up, up + count, up, atLeastOne);
  std::transform(down, down + count, down, atMostOne);
  if (enlarging == *known) return finishResize(node, x, scales, mode, "floor");
  if (shrinking == *known) return finishResize(node, x, scales, mode, "ceil");
  AttrMap attrs{{"coordinate_transformation_mode", std::string("asymmetric")},
                {"nearest_mode", std::string("ceil")}};
  Value* downScales = node.constant(std::move(shrinking), "shrinking");
  Value* upScales = node.constant(std::move(enlarging), "enlarging");
  ENFOLD_TRY(Value * smaller,
             node.emit(OpKind::Resize, {x, nullptr, downScales}, std::move(attrs)));
  return finishResize(node, smaller, upScales, mode, "floor");
}

namespace {

/// `tensor` with the numbers of `axes` doubled.
template <typename T> Tensor doubled(Tensor tensor, const std::vector<int64_t>& axes) {
  T* numbers = tensor.mutableData<T>();
  for (const int64_t axis : axes) numbers[axis] *= 2;
  return tensor;
}

/// coordinate_transformation_mode tf_half_pixel_for_nn, which opset 13 dropped: output o lies at
/// (o + 1/2) / scale. For the nearest pixel below that is half_pixel, which is half a pixel less,
/// rounded; else it is every second output, from the first on, of an asymmetric resize to twice the
/// size, which lie at (2 o + 1) / (2 scale).
Result<Values> halfPixelForNearest(Node& node) {
  const auto is = [&](std::string_view name, const char* word) {
    const auto it = node.attrs.find(name);
    return it != node.attrs.end() && it->second == AttrValue(std::string(word));
  };
  if ((is("mode", "nearest") || !node.attrs.contains("mode")) && is("nearest_mode", "floor")) {
    node.attrs.insert_or_assign("coordinate_transformation_mode", std::string("half_pixel"));
    node.attrs.insert_or_assign("nearest_mode", std::string("round_prefer_ceil"));
    return node.finish();
  }
  node.attrs.insert_or_assign("coordinate_transformation_mode", std::string("asymmetric"));
  ENFOLD_TRY(const Value* x, node.required(0));
  const size_t at = node.operand(3) ? 3 : 2;
  ENFOLD_TRY(const Value* size, node.required(at));
  const Tensor* known = node.known(size);
  const ElemType elem = at == 3 ? ElemType::I64 : ElemType::F32;
  if (!known || known->elem() != elem || known->numElements() != x->type().rank())
    return unsupported("coordinate_transformation_mode tf_half_pixel_for_nn needs one constant "
                       "scale or size a dimension");
  std::vector<int64_t> axes;
  for (int64_t i = 0; i < known->numElements(); ++i) {
    const auto one = at == 3 ? x->shape()[static_cast<size_t>(i)] : 1;
    if (known->asDouble(i) != static_cast<double>(one)) axes.push_back(i);
  }
  if (axes.empty()) return node.finish();
  node.operands[at] = node.constant(
      at == 3 ? doubled<int64_t>(*known, axes) : doubled<float>(*known, axes), "twice");
  ENFOLD_TRY(Value * twice, node.emit(OpKind::Resize, node.operands, node.attrs));
  const auto forAxes = [&](int64_t number, std::string_view role) {
    return node.intsConstant(std::vector<int64_t>(axes.size(), number), role);
  };
  return node.finish(OpKind::Slice, {twice, forAxes(1, "starts"), forAxes(INT64_MAX, "ends"),
                                     node.intsConstant(axes, "axes"), forAxes(2, "steps")});
}

} // namespace

// A region of interest matters to one mode only, and what is not given used to be an empty tensor.
Result<Values> resizeOperands(Node& node) {
  const auto it = node.attrs.find("coordinate_transformation_mode");
  const AttrValue transform = it == node.attrs.end() ? AttrValue(std::string()) : it->second;
  const bool crops = transform == AttrValue(std::string("tf_crop_and_resize"));
  if (!crops && node.operands.size() > 1) node.operands[1] = nullptr;
  for (size_t i = 2; i < node.operands.size(); ++i)
    if (node.operands[i] && node.operands[i]->type().numElements() == 0) node.operands[i] = nullptr;
  if (node.opset < 18 && transform == AttrValue(std::string("tf_half_pixel_for_nn")))
    return halfPixelForNearest(node);
  return node.finish();
}

Result<Values> gridSampleModes(Node& node) {
  ENFOLD_TRY(std::string mode,
             node.takeRow<std::string>("mode: string = bilinear in {bilinear, nearest, bicubic}"));
  if (mode == "bilinear") mode = "linear";
  if (mode == "bicubic") mode = "cubic";
  node.attrs.emplace("mode", std::move(mode));
  return node.finish();
}

// Before opset 16 there was no half-pixel offset.
Result<Values> roiAlignWithoutOffset(Node& node) {
  node.attrs.emplace("coordinate_transformation_mode", std::string("output_half_pixel"));
  return node.finish();
}

} // namespace enfold::onnx
