// Channels of weights, and rounding of folded ones.
#include "passes/Weights.h"

#include <fmt/format.h>

#include <algorithm>
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

/// Half the distance of 1 to the next number: the relative error of rounding.
double unitRoundoff(ElemType elem) {
  switch (elem) {
  case ElemType::F16:
    return 0x1p-11;
  case ElemType::BF16:
    return 0x1p-8;
  case ElemType::F64:
    return 0x1p-53;
  default:
    return 0x1p-24;
  }
}

/// Rounds into `tensor`; gives how many numbers lay below the normal range, or the refusal.
OrRefusal<int64_t> roundInto(Tensor& tensor, std::span<const double> numbers,
                             const PassOptions& options) {
  const double least = smallestNormal(tensor.elem());
  int64_t denormals = 0;
  for (size_t i = 0; i < numbers.size(); ++i) {
    double number = numbers[i];
    if (number != 0 && std::fabs(number) < least) {
      ++denormals;
      if (options.denormals == Denormals::Flush) number = 0;
    }
    tensor.setDouble(static_cast<int64_t>(i), number);
    if (!std::isfinite(tensor.asDouble(static_cast<int64_t>(i))))
      return refuse(Reason::NotFinite, "a folded number is infinite or NaN");
  }
  return denormals;
}

} // namespace

int64_t channelAxis(const Op& batchNorm) { return batchNorm.own(0)->type().rank() > 1 ? 1 : 0; }

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
  const int64_t taps = w[0] * w[1] != 0 ? count / (w[0] * w[1]) : 1;
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
  const auto denormals = roundInto(tensor, numbers, options);
  if (!denormals) return std::unexpected(denormals.error());
  found.denormals += *denormals;
  return tensor;
}

OrRefusal<Tensor> roundedBiases(std::span<const double> numbers, ElemType elem,
                                const PassOptions& options, FoldedNumbers& found) {
  Tensor tensor(elem, {static_cast<int64_t>(numbers.size())});
  const auto denormals = roundInto(tensor, numbers, options);
  if (!denormals) return std::unexpected(denormals.error());
  double largest = 0;
  for (double number : numbers) largest = std::max(largest, std::fabs(number));
  found.boundConstant = unitRoundoff(elem) * largest + (*denormals ? smallestNormal(elem) : 0);
  return tensor;
}

void measureWeights(const Tensor& weights, std::span<const int64_t> output, int64_t channels,
                    FoldedNumbers& found) {
  std::vector<double> sums(static_cast<size_t>(channels), 0);
  std::vector<int64_t> counts(sums.size(), 0);
  for (size_t i = 0; i < output.size(); ++i) {
    const auto c = static_cast<size_t>(output[i]);
    sums[c] += std::fabs(weights.asDouble(static_cast<int64_t>(i)));
    ++counts[c];
  }
  found.channels = channels;
  found.deadChannels = std::ranges::count(sums, 0.0);
  // |w - fl(w)| <= u |w| <= u |fl(w)| / (1 - u) in the normal range; a flushed weight loses less
  // than the smallest normal number.
  const double u = unitRoundoff(weights.elem());
  for (size_t c = 0; c < sums.size(); ++c) {
    const double flushed =
        found.denormals ? static_cast<double>(counts[c]) * smallestNormal(weights.elem()) : 0;
    found.boundPerInput = std::max(found.boundPerInput, u / (1 - u) * sums[c] + flushed);
  }
}

std::string describe(const FoldedNumbers& found, const PassOptions& options) {
  std::string text;
  if (found.deadChannels) text += fmt::format("; {} dead channels", found.deadChannels);
  if (found.denormals)
    text += fmt::format("; {} denormal weights {}", found.denormals,
                        options.denormals == Denormals::Flush ? "flushed" : "kept");
  return text;
}

RemarkFacts numbersOf(const FoldedNumbers& found, const Op& folded) {
  return {{{"channels", static_cast<double>(found.channels)},
           {"dead_channels", static_cast<double>(found.deadChannels)},
           {"denormals", static_cast<double>(found.denormals)},
           {"bound_per_input", found.boundPerInput},
           {"bound_constant", found.boundConstant}},
          folded.result()->name()};
}

} // namespace enfold
