// Reading products of dequantized tensors, and what rounds their results.
#include "passes/integer/Products.h"

#include "passes/Match.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace enfold {
namespace {

/// w with the last two axes exchanged.
Tensor transposed(const Tensor& w) {
  const int64_t rows = w.shape()[0], columns = w.shape()[1];
  Tensor result(w.elem(), {columns, rows});
  std::byte* out = result.mutableBytes();
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c) out[c * rows + r] = w.bytes()[r * columns + c];
  return result;
}

/// Integers of 8 bits and less, each in a byte.
Tensor inBytes(const Tensor& w) {
  const bool isSigned = info(w.elem()).cls == ElemClass::Signed;
  Tensor result(isSigned ? ElemType::I8 : ElemType::U8, w.shape());
  for (int64_t i = 0; i < w.numElements(); ++i)
    result.setDouble(i, static_cast<double>(w.asInt(i)));
  return result;
}

struct Operand {
  Op* dequantizer;
  Quantization scale;
};

OrRefusal<Operand> operandOf(const Op& op, size_t i) {
  Op* dequantizer = dequantizationOf(op.own(i));
  if (!dequantizer)
    return refuse(Reason::NotQuantized, fmt::format("%{} is not dequantized", op.own(i)->name()));
  auto scale = quantizationOf(*dequantizer);
  if (!scale) return std::unexpected(std::move(scale.error()));
  return Operand{dequantizer, *std::move(scale)};
}

/// A gemm that is a product plus, perhaps, a bias.
OrRefusal<void> checkForm(const Op& op) {
  if (!op.epilogue().empty()) return refuse(Reason::FusedElsewhere, "it carries an epilogue");
  if (op.kind() != OpKind::Gemm) return {};
  if (op.integer("transA") != 0 || op.real("alpha") != 1 || (op.own(2) && op.real("beta") != 1))
    return refuse(Reason::NotPlainProduct, "it transposes its first operand, or has factors");
  return {};
}

/// The greatest magnitude of a sum, over all codes of x, of the weights of each channel.
OrRefusal<void> checkWeights(const IntegerProduct& p) {
  const auto [low, high] = codeRange(p.x->elem());
  const int64_t zero = p.xScale.zeros[0];
  const auto most = static_cast<double>(std::max(high - zero, zero - low));
  const auto channels = static_cast<size_t>(p.channels);
  std::vector<double> sums(channels, 0);
  const int64_t count = p.w.numElements();
  for (int64_t i = 0; i < count; ++i) {
    const int64_t c = p.kind == OpKind::ConvInteger ? i / (count / p.channels) : i % p.channels;
    const auto channel = static_cast<size_t>(c);
    const int64_t weight = p.w.asInt(i) - p.wScale.zeros[p.wScale.isUniform() ? 0 : channel];
    sums[channel] += std::abs(static_cast<double>(weight)) * most;
  }
  for (size_t c = 0; c < channels; ++c) {
    const double bias = p.bias.empty() ? 0 : std::abs(static_cast<double>(p.bias[c]));
    if (sums[c] + bias >= 0x1p31)
      return refuse(Reason::SumOverflow,
                    fmt::format("a sum of channel {} could be {:.3g}", c, sums[c] + bias));
  }
  return {};
}

/// Takes the bias into the sums, where it is of their scale; else it stays a tensor of floats.
void takeBias(const Op& op, IntegerProduct& p) {
  if (op.kind() == OpKind::MatMul || !op.own(2)) return;
  p.realBias = op.own(2);
  Op* dequantizer = dequantizationOf(p.realBias);
  const Tensor* codes = dequantizer ? dequantizer->own(0)->constant() : nullptr;
  if (!codes || codes->elem() != ElemType::I32 || codes->shape() != Shape{p.channels}) return;
  const auto scale = quantizationOf(*dequantizer);
  if (!scale) return;
  for (int64_t i = 0; i < p.channels; ++i) {
    const auto c = static_cast<size_t>(i);
    const size_t own = scale->isUniform() ? 0 : c;
    const float wanted = p.scale(c);
    if (std::abs(scale->scales[own] - wanted) > 0x1p-21f * wanted || scale->zeros[own] != 0) return;
  }
  p.realBias = nullptr;
  for (int64_t i = 0; i < p.channels; ++i) p.bias.push_back(codes->data<int32_t>()[i]);
  p.dequantizers.push_back(dequantizer);
}

} // namespace

namespace {

/// The window of an average pool as a convolution's attributes.
OrRefusal<AttrMap> windowOfPool(const Op& op) {
  if (op.kind() == OpKind::GlobalAveragePool) return AttrMap{};
  const std::vector<int64_t> pads = op.ints("pads");
  const bool isPadded = std::ranges::any_of(pads, [](int64_t pad) { return pad != 0; });
  if (op.integer("ceil_mode") != 0 || (isPadded && op.integer("count_include_pad") == 0))
    return refuse(Reason::NotPlainProduct, "its windows do not count as many numbers everywhere");
  AttrMap attrs = op.attrs();
  attrs.erase("ceil_mode");
  attrs.erase("kernel_shape");
  attrs.erase("count_include_pad");
  return attrs;
}

OrRefusal<IntegerProduct> integerPoolOf(const Op& op) {
  if (auto form = checkForm(op); !form) return std::unexpected(form.error());
  const auto x = operandOf(op, 0);
  if (!x) return std::unexpected(x.error());
  if (!isByte(x->dequantizer->own(0)->elem()) || !x->scale.isUniform())
    return refuse(Reason::OtherAxis, "its operand is not of 8 bits with one scale");
  auto attrs = windowOfPool(op);
  if (!attrs) return std::unexpected(attrs.error());
  const int64_t channels = op.result()->shape()[1];
  const Shape& image = op.own(0)->shape();
  const std::vector<int64_t> kernel = op.kind() == OpKind::GlobalAveragePool
                                          ? std::vector<int64_t>(image.begin() + 2, image.end())
                                          : op.ints("kernel_shape");
  Shape weights = {channels, 1};
  weights.insert(weights.end(), kernel.begin(), kernel.end());
  const int64_t count = numElements(weights) / std::max<int64_t>(1, channels);
  if (count == 0 || channels == 0) return refuse(Reason::NotPlainProduct, "it averages nothing");
  Tensor ones(ElemType::I8, weights);
  for (int64_t i = 0; i < ones.numElements(); ++i) ones.setDouble(i, 1);
  (*attrs)["group"] = channels;
  IntegerProduct p{.kind = OpKind::ConvInteger,
                   .x = x->dequantizer->own(0),
                   .xScale = x->scale,
                   .w = std::move(ones),
                   .wScale = {{1 / static_cast<float>(count)}, {0}, 0},
                   .attrs = *std::move(attrs),
                   .channels = channels,
                   .perChannel = Shape(op.result()->shape().size() - 1, 1),
                   .bias = {},
                   .dequantizers = {x->dequantizer}};
  p.perChannel[0] = channels;
  if (auto fits = checkWeights(p); !fits) return std::unexpected(fits.error());
  return p;
}

} // namespace

OrRefusal<IntegerProduct> integerProductOf(const Op& op) {
  if (op.kind() == OpKind::AveragePool || op.kind() == OpKind::GlobalAveragePool)
    return integerPoolOf(op);
  if (auto form = checkForm(op); !form) return std::unexpected(form.error());
  const auto x = operandOf(op, 0);
  if (!x) return std::unexpected(x.error());
  const auto w = operandOf(op, 1);
  if (!w) return std::unexpected(w.error());
  if (!isByte(x->dequantizer->own(0)->elem()))
    return refuse(Reason::ElementType, fmt::format("%{} is of {}", x->dequantizer->own(0)->name(),
                                                   name(x->dequantizer->own(0)->elem())));
  if (!x->scale.isUniform())
    return refuse(Reason::OtherAxis, "its first operand has several scales");
  const Tensor* weights = w->dequantizer->own(0)->constant();
  if (!weights) return refuse(Reason::WeightsNotConstant, "its weights are computed");
  if (info(weights->elem()).bits > 8)
    return refuse(Reason::ElementType, fmt::format("its weights are {}", name(weights->elem())));
  const bool isConv = op.kind() == OpKind::Conv;
  if (!isConv && weights->rank() != 2)
    return refuse(Reason::NotPlainProduct, "its weights are a stack of matrices");
  IntegerProduct p{.kind = isConv ? OpKind::ConvInteger : OpKind::MatMulInteger,
                   .x = x->dequantizer->own(0),
                   .xScale = x->scale,
                   .w = inBytes(*weights),
                   .wScale = w->scale,
                   .attrs = isConv ? op.attrs() : AttrMap{},
                   .perChannel = {},
                   .bias = {},
                   .dequantizers = {x->dequantizer, w->dequantizer}};
  p.attrs.erase("algorithm");
  const bool transposes = op.kind() == OpKind::Gemm && op.integer("transB") != 0;
  if (!p.wScale.isUniform() && p.wScale.axis != (isConv || transposes ? 0 : 1))
    return refuse(Reason::OtherAxis, "its weights are not scaled by output channels");
  if (transposes) p.w = transposed(p.w);
  p.channels = op.result()->shape()[isConv ? 1 : op.result()->shape().size() - 1];
  p.perChannel = {p.channels};
  if (isConv) p.perChannel.resize(op.result()->shape().size() - 1, 1);
  takeBias(op, p);
  if (auto fits = checkWeights(p); !fits) return std::unexpected(fits.error());
  return p;
}

std::optional<QuantizedTail> quantizedTailOf(const Value* value) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  float low = -kInfinity, high = kInfinity;
  std::vector<Op*> ops;
  for (Op* op = onlyUser(value); op; op = onlyUser(op->result())) {
    if (!op->epilogue().empty() || op->own(0) != (ops.empty() ? value : ops.back()->result()))
      return std::nullopt;
    if (op->kind() == OpKind::Relu) {
      low = std::max(low, 0.0f);
      high = std::max(high, 0.0f);
    } else if (op->kind() == OpKind::Clip) {
      const auto least = op->own(1) ? scalarValue(op->own(1)) : std::optional<double>(-kInfinity);
      const auto most = op->own(2) ? scalarValue(op->own(2)) : std::optional<double>(kInfinity);
      if (!least || !most || !(*least <= *most)) return std::nullopt;
      low = std::clamp(low, static_cast<float>(*least), static_cast<float>(*most));
      high = std::clamp(high, static_cast<float>(*least), static_cast<float>(*most));
    } else if (op->kind() == OpKind::QuantizeLinear && isByte(op->result()->elem())) {
      const auto scale = quantizationOf(*op);
      if (!scale || !scale->isUniform()) return std::nullopt;
      const int64_t zero = scale->zeros[0];
      const ElemType elem = op->result()->elem();
      return QuantizedTail{
          op, *scale, {codeOf(low, *scale, elem) - zero, codeOf(high, *scale, elem) - zero}, ops};
    } else {
      return std::nullopt;
    }
    ops.push_back(op);
  }
  return std::nullopt;
}

} // namespace enfold
