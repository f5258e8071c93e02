// Channels of weights, and rounding of folded ones.
#include "passes/Weights.h"

#include <cmath>
#include <limits>

namespace enfold {
namespace {

double smallestNormal(ElemType elem) {
  switch (elem) {
  case ElemType::F16:
    return 0x1p-14;
  case ElemType::F64:
    return std::numeric_limits<double>::min();
  default:
    return std::numeric_limits<float>::min();
  }
}

} // namespace

bool isLinear(OpKind kind) {
  return kind == OpKind::Conv || kind == OpKind::ConvTranspose || kind == OpKind::Gemm ||
         kind == OpKind::MatMul;
}

int64_t outputChannelAxis(const Op& op) {
  const bool isConv = op.kind() == OpKind::Conv || op.kind() == OpKind::ConvTranspose;
  return isConv ? 1 : op.result()->type().rank() - 1;
}

WeightChannels weightChannels(const Op& op) {
  const Shape& w = op.own(1)->shape();
  const int64_t count = numElements(w);
  WeightChannels channels;
  channels.output.resize(static_cast<size_t>(count));
  channels.input.resize(static_cast<size_t>(count));
  const auto set = [&](int64_t i, int64_t output, int64_t input) {
    channels.output[static_cast<size_t>(i)] = output;
    channels.input[static_cast<size_t>(i)] = input;
  };
  if (op.kind() == OpKind::Gemm || op.kind() == OpKind::MatMul) {
    const bool transposed = op.kind() == OpKind::Gemm && op.integer("transB") != 0;
    const int64_t columns = w.back(), rows = w[w.size() - 2];
    for (int64_t i = 0; i < count; ++i) {
      const int64_t row = i / columns % rows, column = i % columns;
      set(i, transposed ? row : column, transposed ? column : row);
    }
    return channels;
  }
  const int64_t group = op.integer("group");
  const int64_t taps = w[0] * w[1] ? count / (w[0] * w[1]) : 1;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t outer = i / taps / w[1], inner = i / taps % w[1];
    // conv: [Cout, Cin/group, …]; conv_transpose: [Cin, Cout/group, …].
    if (op.kind() == OpKind::Conv)
      set(i, outer, outer / (w[0] / group) * w[1] + inner);
    else
      set(i, outer / (w[0] / group) * w[1] + inner, outer);
  }
  return channels;
}

OrRefusal<Tensor> roundedWeights(std::span<const double> numbers, const Tensor& like,
                                 const PassOptions& options, FoldedNumbers& found) {
  Tensor tensor(like.elem(), like.shape());
  const double least = smallestNormal(like.elem());
  for (size_t i = 0; i < numbers.size(); ++i) {
    double number = numbers[i];
    if (number != 0 && std::fabs(number) < least) {
      ++found.denormals;
      if (options.denormals == Denormals::Flush) number = 0;
    }
    tensor.setDouble(static_cast<int64_t>(i), number);
    if (!std::isfinite(tensor.asDouble(static_cast<int64_t>(i))))
      return refuse(Reason::NotFinite, "a folded number is infinite or NaN");
  }
  return tensor;
}

} // namespace enfold
