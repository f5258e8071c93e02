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
OrRefusal<int64_t> roundInto(Tensor& tensor, std::vector<double> numbers,
                             const PassOptions& options) {
  const double least = smallestNormal(tensor.elem());
  int64_t denormals = 0;
  for (double& number : numbers) {
    if (number == 0 || std::fabs(number) >= least) continue;
    ++denormals;
    if (options.denormals == Denormals::Flush) number = 0;
  }
  if (tensor.elem() == ElemType::F32)
    std::ranges::copy(numbers, tensor.mutableData<float>());
  else
    for (size_t i = 0; i < numbers.size(); ++i)
      tensor.setDouble(static_cast<int64_t>(i), numbers[i]);
  if (!std::ranges::all_of(doublesOf(tensor), [](double x) { return std::isfinite(x); }))
    return refuse(Reason::NotFinite, "a folded number is infinite or NaN");
  return denormals;
}

} // namespace

std::vector<double> doublesOf(const Tensor& tensor) {
  std::vector<double> numbers(static_cast<size_t>(tensor.numElements()));
  if (tensor.elem() == ElemType::F32)
    std::ranges::copy(tensor.values<float>(), numbers.begin());
  else
    for (size_t i = 0; i < numbers.size(); ++i)
      numbers[i] = tensor.asDouble(static_cast<int64_t>(i));
  return numbers;
}

int64_t channelAxis(const Op& batchNorm) { return batchNorm.own(0)->type().rank() > 1 ? 1 : 0; }

bool isLinear(OpKind kind) {
  return kind == OpKind::Conv || kind == OpKind::ConvTranspose || kind == OpKind::Gemm ||
         kind == OpKind::MatMul;
}

int64_t outputChannelAxis(const Op& op) {
  const bool isConv = op.kind() == OpKind::Conv || op.kind() == OpKind::ConvTranspose;
  return isConv ? 1 : op.result()->type().rank() - 1;
}

namespace {

/// Channels that do not depend on the window: those of [outer][inner][taps].
template <typename ChannelOf>
std::vector<uint32_t> channelsOf(int64_t outer, int64_t inner, int64_t taps, ChannelOf&& channel) {
  std::vector<uint32_t> channels(static_cast<size_t>(outer * inner * taps));
  size_t at = 0;
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t i = 0; i < inner; ++i, at += static_cast<size_t>(taps))
      std::fill_n(channels.begin() + static_cast<ptrdiff_t>(at), taps,
                  static_cast<uint32_t>(channel(o, i)));
  return channels;
}

enum class Side : uint8_t { Output, Input };

std::vector<uint32_t> channelsOn(Side side, const Op& op) {
  const Shape& w = op.own(1)->shape();
  const int64_t count = numElements(w);
  if (op.kind() == OpKind::Gemm || op.kind() == OpKind::MatMul) {
    const bool transposed = op.kind() == OpKind::Gemm && op.integer("transB") != 0;
    const bool byRow = transposed == (side == Side::Output);
    const int64_t columns = w.back(), rows = w[w.size() - 2];
    const int64_t matrices = rows * columns != 0 ? count / (rows * columns) : 0;
    return channelsOf(matrices * rows, columns, 1,
                      [&](int64_t row, int64_t column) { return byRow ? row % rows : column; });
  }
  const int64_t inGroup = w[0] / op.integer("group");
  const int64_t taps = w[0] * w[1] != 0 ? count / (w[0] * w[1]) : 1;
  // conv: [Cout, Cin/group, …]; conv_transpose: [Cin, Cout/group, …].
  const bool isOuter = (op.kind() == OpKind::Conv) == (side == Side::Output);
  return channelsOf(w[0], w[1], taps, [&](int64_t outer, int64_t inner) {
    return isOuter ? outer : outer / inGroup * w[1] + inner;
  });
}

} // namespace

std::vector<uint32_t> outputChannels(const Op& op) { return channelsOn(Side::Output, op); }
std::vector<uint32_t> inputChannels(const Op& op) { return channelsOn(Side::Input, op); }

OrRefusal<Tensor> roundedWeights(std::vector<double> numbers, const Tensor& like,
                                 const PassOptions& options, FoldedNumbers& found) {
  Tensor tensor(like.elem(), like.shape());
  const auto denormals = roundInto(tensor, std::move(numbers), options);
  if (!denormals) return std::unexpected(denormals.error());
  found.denormals += *denormals;
  return tensor;
}

OrRefusal<Tensor> roundedBiases(std::vector<double> numbers, ElemType elem,
                                const PassOptions& options, FoldedNumbers& found) {
  Tensor tensor(elem, {static_cast<int64_t>(numbers.size())});
  double largest = 0;
  for (double number : numbers) largest = std::max(largest, std::fabs(number));
  const auto denormals = roundInto(tensor, std::move(numbers), options);
  if (!denormals) return std::unexpected(denormals.error());
  found.boundConstant = unitRoundoff(elem) * largest + (*denormals ? smallestNormal(elem) : 0);
  return tensor;
}

void measureWeights(const Tensor& weights, std::span<const uint32_t> output, int64_t channels,
                    FoldedNumbers& found) {
  std::vector<double> sums(static_cast<size_t>(channels), 0);
  const std::vector<double> numbers = doublesOf(weights);
  for (size_t i = 0; i < output.size();) {
    const uint32_t c = output[i];
    double sum = 0; // of neighbours of one channel
    for (; i < output.size() && output[i] == c; ++i) sum += std::fabs(numbers[i]);
    sums[c] += sum;
  }
  found.channels = channels;
  found.deadChannels = std::ranges::count(sums, 0.0);
  // |w - fl(w)| <= u |w| <= u |fl(w)| / (1 - u) in the normal range; a flushed weight loses less
  // than the smallest normal number.
  const double u = unitRoundoff(weights.elem());
  const auto perChannel =
      static_cast<double>(output.size()) / static_cast<double>(std::max<int64_t>(1, channels));
  const double flushed = found.denormals ? perChannel * smallestNormal(weights.elem()) : 0;
  for (const double sum : sums)
    found.boundPerInput = std::max(found.boundPerInput, u / (1 - u) * sum + flushed);
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
