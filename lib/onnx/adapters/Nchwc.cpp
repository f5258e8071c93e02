// Operators of com.microsoft.nchwc, which ONNX Runtime's optimizer puts into models at its highest
// level. Their tensors hold channels in blocks, the last one filled up, and their weights lie as
// its kernels read them: [outputs / block, inputs, window, block], or with blocks of inputs too
// [outputs / block, inputs / block, window, block, block]. Here tensors are plain and have as many
// channels, and weights are put in order.
#include "onnx/adapters/Adapters.h"
#include "onnx/adapters/Microsoft.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <cstring>

namespace enfold::onnx {
namespace {

/// Weights in order, of the same shape.
Tensor ordered(const Tensor& weights, int64_t block) {
  const Shape& shape = weights.shape();
  const int64_t outputs = shape[0], inputs = shape[1];
  const int64_t pairs = outputs * inputs, window = pairs > 0 ? weights.numElements() / pairs : 0;
  const bool blockedInputs = inputs >= block;
  Tensor plain(weights.elem(), shape);
  const float* from = weights.data<float>();
  float* to = plain.mutableData<float>();
  for (int64_t o = 0; o < outputs; ++o)
    for (int64_t i = 0; i < inputs; ++i)
      for (int64_t k = 0; k < window; ++k) {
        const int64_t row = o / block, column = o % block;
        const int64_t at =
            blockedInputs
                ? (((row * (inputs / block) + i / block) * window + k) * block + i % block) * block
                : ((row * inputs + i) * window + k) * block;
        to[(o * inputs + i) * window + k] = from[at + column];
      }
  return plain;
}

} // namespace

Result<Values> nchwcConv(Node& node) {
  ENFOLD_TRY(const Value* w, node.required(1));
  const Tensor* weights = node.known(w);
  if (!weights) return unsupported("its weights are not known when the model is compiled");
  const int64_t block = node.nchwcBlock();
  if (weights->elem() != ElemType::F32 || weights->rank() < 3)
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("its weights are {}", weights->type().str()));
  const Shape& shape = weights->shape();
  if (shape[0] % block != 0 || (shape[1] >= block && shape[1] % block != 0))
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("its weights {} are not in blocks of {}", str(shape), block));
  node.operands[1] = node.constant(ordered(*weights, block), "weights");
  return fusedConv(node);
}

// Channels are filled up to whole blocks.
Result<Values> nchwcReorderInput(Node& node) {
  ENFOLD_TRY(const int64_t last, node.take<int64_t>("channels_last", 0));
  ENFOLD_TRY(Value * x, node.required(0));
  if (last != 0) {
    ENFOLD_TRY(x, channelsFirst(node, x));
  }
  const int64_t rank = x->type().rank(), block = node.nchwcBlock();
  if (rank < 3)
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("its input {} has no pixels", x->type().str()));
  const int64_t missing = (block - x->shape()[1] % block) % block;
  if (missing == 0) return node.finishAs({x});
  std::vector<int64_t> pads(static_cast<size_t>(2 * rank), 0);
  pads[static_cast<size_t>(rank) + 1] = missing;
  return node.finish(OpKind::Pad, {x, node.intsConstant(pads, "pads")});
}

// The channels that fill the last block are left out.
Result<Values> nchwcReorderOutput(Node& node) {
  ENFOLD_TRY(const int64_t last, node.take<int64_t>("channels_last", 0));
  ENFOLD_TRY(const int64_t channels, node.take<int64_t>("channels", 0));
  ENFOLD_TRY(Value * x, node.required(0));
  if (x->type().rank() < 3 || channels < 1 || channels > x->shape()[1])
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("{} has no {} channels", x->type().str(), channels));
  const Values operands = {x, node.intsConstant({0}, "begin"), node.intsConstant({channels}, "end"),
                           node.intsConstant({1}, "axis")};
  if (last == 0) return node.finish(OpKind::Slice, operands);
  ENFOLD_TRY(Value * y, node.emit(OpKind::Slice, operands));
  return finishChannelsLast(node, y);
}

Result<Values> nchwcUpsample(Node& node) {
  ENFOLD_TRY(const auto scales, node.take<std::vector<int64_t>>("scales", {}));
  ENFOLD_TRY(const std::string mode, node.take<std::string>("mode", "nearest"));
  ENFOLD_TRY(const std::string places,
             node.take<std::string>("coordinate_transformation_mode", "asymmetric"));
  ENFOLD_TRY(Value * x, node.required(0));
  Tensor factors(ElemType::F32, {static_cast<int64_t>(scales.size())});
  for (size_t i = 0; i < scales.size(); ++i)
    factors.setDouble(static_cast<int64_t>(i), static_cast<double>(scales[i]));
  AttrMap attrs = {{"mode", mode}, {"coordinate_transformation_mode", places}};
  if (mode == "nearest") attrs.emplace("nearest_mode", std::string("floor"));
  return node.finish(OpKind::Resize, {x, nullptr, node.constant(factors, "scales")},
                     std::move(attrs));
}

} // namespace enfold::onnx
