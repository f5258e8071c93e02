// Upsample and the older forms of Resize, GridSample and RoiAlign.
#include "onnx/adapters/Adapters.h"

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
  if (!scales) return invalid("it lacks its attribute 'scales'");
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
  ENFOLD_TRY(std::string mode, node.take<std::string>("mode", "nearest"));
  if (mode == "bilinear") mode = "linear";
  if (mode != "nearest" && mode != "linear")
    return invalid(fmt::format("mode '{}' does not exist", mode));
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

// A region of interest matters to one mode only, and what is not given used to be an empty tensor.
Result<Values> resizeOperands(Node& node) {
  const auto it = node.attrs.find("coordinate_transformation_mode");
  const bool crops =
      it != node.attrs.end() && it->second == AttrValue(std::string("tf_crop_and_resize"));
  if (!crops && node.operands.size() > 1) node.operands[1] = nullptr;
  for (size_t i = 2; i < node.operands.size(); ++i)
    if (node.operands[i] && node.operands[i]->type().numElements() == 0) node.operands[i] = nullptr;
  return node.finish();
}

Result<Values> gridSampleModes(Node& node) {
  ENFOLD_TRY(std::string mode, node.take<std::string>("mode", "bilinear"));
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
