// auto_pad and output_shape made into pads. All sizes are known, so what ONNX states as formulas
// over the input's size are numbers here.
#include "onnx/adapters/Windows.h"

#include "onnx/adapters/Adapters.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <algorithm>

namespace enfold::onnx {
namespace {

using Ints = std::vector<int64_t>;

enum class AutoPad { NotSet, Valid, SameUpper, SameLower };

Result<AutoPad> takeAutoPad(Node& node) {
  const auto it = node.attrs.find("auto_pad");
  if (it != node.attrs.end() && it->second == AttrValue(std::string())) node.attrs.erase(it);
  ENFOLD_TRY(const std::string text,
             node.takeRow<std::string>(
                 "auto_pad: string = NOTSET in {NOTSET, SAME_UPPER, SAME_LOWER, VALID}"));
  if (text == "VALID") return AutoPad::Valid;
  if (text == "SAME_UPPER") return AutoPad::SameUpper;
  return text == "SAME_LOWER" ? AutoPad::SameLower : AutoPad::NotSet;
}

/// Spatial sizes of the node's data operand.
Result<Ints> spatialShape(const Node& node) {
  ENFOLD_TRY(const Value* input, node.required(0));
  if (input->type().rank() < 3)
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("its input {} has no spatial dimensions", input->type().str()));
  return Ints(input->shape().begin() + 2, input->shape().end());
}

/// The node's window without its pads, checked.
Result<Window> windowWithoutPads(const Node& node, std::optional<size_t> weights, size_t rank) {
  AttrMap attrs;
  for (std::string_view name : {"strides", "dilations", "kernel_shape"}) {
    const auto it = node.attrs.find(name);
    if (it == node.attrs.end()) continue;
    if (kindOf(it->second) != AttrKind::Ints)
      return failure(ErrorCode::BadAttribute,
                     fmt::format("attribute '{}' is of the wrong kind", name));
    attrs.insert(*it);
  }
  Ints kernel;
  if (const auto it = attrs.find("kernel_shape"); it != attrs.end())
    kernel = std::get<Ints>(it->second);
  if (kernel.empty() && weights) {
    ENFOLD_TRY(const Value* w, node.required(*weights));
    if (w->type().rank() > 2) kernel.assign(w->shape().begin() + 2, w->shape().end());
  }
  if (kernel.size() != rank)
    return failure(
        ErrorCode::ShapeMismatch,
        fmt::format("its window has {} dimensions where its input has {}", kernel.size(), rank));
  return windowOf(attrs, kernel);
}

int64_t extent(const Window& window, size_t i) {
  return (window.kernel[i] - 1) * window.dilations[i] + 1;
}

/// Splits the padding of each dimension in two; where it is odd, SAME_UPPER pads more at the end.
void setPads(Node& node, const Ints& totals, AutoPad mode) {
  const size_t rank = totals.size();
  Ints pads(2 * rank);
  for (size_t i = 0; i < rank; ++i) {
    const int64_t less = totals[i] / 2, more = totals[i] - less;
    pads[i] = mode == AutoPad::SameUpper ? less : more;
    pads[rank + i] = mode == AutoPad::SameUpper ? more : less;
  }
  node.attrs.insert_or_assign("pads", std::move(pads));
}

void dropZeros(Node& node, std::string_view attr) {
  const auto it = node.attrs.find(attr);
  if (it == node.attrs.end()) return;
  const Ints* values = std::get_if<Ints>(&it->second);
  if (values && std::ranges::all_of(*values, [](int64_t v) { return v == 0; }))
    node.attrs.erase(it);
}

} // namespace

Result<> makePaddingExplicit(Node& node, std::optional<size_t> weights) {
  ENFOLD_TRY(const AutoPad mode, takeAutoPad(node));
  if (mode != AutoPad::NotSet) node.drop({"pads"});
  if (mode == AutoPad::SameUpper || mode == AutoPad::SameLower) {
    // The result has the size ceil(input / stride); rounding it up again would add to that.
    node.drop({"ceil_mode"});
    ENFOLD_TRY(const Ints input, spatialShape(node));
    ENFOLD_TRY(const Window window, windowWithoutPads(node, weights, input.size()));
    Ints totals;
    for (size_t i = 0; i < input.size(); ++i) {
      const int64_t stride = window.strides[i], size = (input[i] + stride - 1) / stride;
      totals.push_back(std::max<int64_t>(0, (size - 1) * stride + extent(window, i) - input[i]));
    }
    setPads(node, totals, mode);
  }
  dropZeros(node, "pads");
  return {};
}

Result<Values> windowPadding(Node& node) {
  std::optional<size_t> weights;
  if (node.type == "Conv" || node.type == "ConvInteger") weights = 1;
  if (node.type == "QLinearConv") weights = 3;
  ENFOLD_RETURN_IF_ERROR(makePaddingExplicit(node, weights));
  return node.finish();
}

// Indices count in the shape that the window gives, and with output_shape values go to the same
// place of that larger shape. But those of a MaxPool of this model count in its image: with an
// output_shape they are scattered into one of that shape, whatever the window says of its size.
Result<Values> unpooling(Node& node) {
  for (const auto& [name, value] : node.attrs)
    if (enfold::info(OpKind::MaxUnpool).attr(name))
      ENFOLD_RETURN_IF_ERROR(enfold::info(OpKind::MaxUnpool).checkAttr(name, value));
  const Value* from = node.operand(1);
  while (from && from->producer() && from->producer()->kind() == OpKind::Identity)
    from = from->producer()->own(0);
  const Op* pool = from ? from->producer() : nullptr;
  const Tensor* stated = node.operand(2) ? node.known(node.operand(2)) : nullptr;
  if (!pool || pool->kind() != OpKind::MaxPool || pool->integer("storage_order") || !stated ||
      !isInteger(stated->elem()))
    return node.finish();
  ENFOLD_TRY(Value * x, node.required(0));
  const Shape &image = pool->own(0)->shape(), wanted = stated->toInts();
  if (x->shape() != from->shape() || wanted.size() != image.size()) return node.finish();
  std::vector<int64_t> pads(2 * image.size(), 0);
  for (size_t i = 0; i < image.size(); ++i) {
    pads[image.size() + i] = wanted[i] - image[i];
    if (wanted[i] < image[i])
      return invalid(fmt::format("its indices are into {}, which output_shape {} does not hold",
                                 str(image), str(wanted)));
  }
  Value* all = node.intsConstant({-1}, "all");
  ENFOLD_TRY(Value * values, node.emit(OpKind::Reshape, {x, all}));
  ENFOLD_TRY(Value * indices, node.emit(OpKind::Reshape, {node.operands[1], all}));
  ENFOLD_TRY(Value * zeros,
             node.emit(OpKind::ConstantOfShape, {node.intsConstant({numElements(image)}, "pixels")},
                       {{"value", Tensor(x->elem(), {1})}}));
  ENFOLD_TRY(Value * flat, node.emit(OpKind::ScatterElements, {zeros, indices, values}));
  Value* imageShape = node.intsConstant(image, "image");
  if (wanted == image) return node.finish(OpKind::Reshape, {flat, imageShape});
  ENFOLD_TRY(Value * whole, node.emit(OpKind::Reshape, {flat, imageShape}));
  return node.finish(OpKind::Pad, {whole, node.intsConstant(pads, "pads")});
}

Result<Values> transposedWindowPadding(Node& node) {
  ENFOLD_TRY(const AutoPad mode, takeAutoPad(node));
  ENFOLD_TRY(const auto wanted, node.take<Ints>("output_shape"));
  if (mode != AutoPad::NotSet || wanted) node.drop({"pads"});
  const bool same = mode == AutoPad::SameUpper || mode == AutoPad::SameLower;
  if (same || (wanted && !wanted->empty())) {
    ENFOLD_TRY(const Ints input, spatialShape(node));
    const size_t rank = input.size();
    ENFOLD_TRY(const Window window, windowWithoutPads(node, 1, rank));
    ENFOLD_TRY(Ints extra, node.take<Ints>("output_padding", Ints(rank, 0)));
    if (extra.size() != rank || (wanted && wanted->size() != rank && wanted->size() != rank + 2))
      return failure(ErrorCode::ShapeMismatch,
                     "its output_shape or output_padding does not fit its input");
    Ints totals;
    for (size_t i = 0; i < rank; ++i) {
      // Some exporters state the whole shape, with batch and channels before the spatial sizes.
      const int64_t size =
          wanted ? (*wanted)[wanted->size() - rank + i] : input[i] * window.strides[i];
      if (size < 1 || size > INT32_MAX || extra[i] < 0 || extra[i] > INT32_MAX)
        return invalid(fmt::format("its output_shape {} is out of range", size));
      const int64_t total =
          (input[i] - 1) * window.strides[i] + extra[i] + extent(window, i) - size;
      totals.push_back(std::max<int64_t>(total, 0));
      if (total < 0) extra[i] -= total;
    }
    setPads(node, totals, mode);
    node.attrs.insert_or_assign("output_padding", std::move(extra));
  }
  dropZeros(node, "pads");
  dropZeros(node, "output_padding");
  return node.finish();
}

} // namespace enfold::onnx
