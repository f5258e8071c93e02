// Conversion between real numbers and quantized ones. A scale and zero point hold for the whole
// tensor, for each slice along an axis, or for each block along it. Quotients are rounded to the
// precision the op states before they are rounded to integers, ties to even, so that ties fall
// where arithmetic in that precision has them.
#include "reference/Quantization.h"

#include "ir/SmallFloat.h"
#include "reference/EvalContext.h"
#include "reference/Indexing.h"
#include "reference/Numbers.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace enfold::reference {
namespace {

bool isSmallFloat(ElemType elem) { return isFloat(elem) && info(elem).bits <= 8; }

/// `value` rounded to a floating-point type.
double roundedTo(ElemType elem, double value) {
  return dispatchElem(
      elem,
      [&](auto tag) -> double {
        using T = decltype(tag);
        if constexpr (kIsFloat<T>)
          return static_cast<double>(T(value));
        else
          return value;
      },
      [&] { return value; });
}

/// Which parameter each element of a tensor has: its scale's element number.
Result<std::vector<int64_t>> parameterOfEach(const EvalContext& context, const Tensor& scale) {
  const Shape& x = context.shape(0);
  std::vector<int64_t> which(static_cast<size_t>(numElements(x)), 0);
  const int64_t block = context.integer("block_size");
  if (block == 0 && scale.numElements() == 1) return which;
  ENFOLD_TRY(const int64_t at, normalizeAxis(context.integer("axis"), context.operand().rank()));
  const auto axis = static_cast<size_t>(at);
  Strides strides(x.size(), 0);
  if (block == 0) {
    if (scale.shape() != Shape{x[axis]})
      return failure(ErrorCode::ShapeMismatch, fmt::format("scale {} does not fit axis {} of {}",
                                                           str(scale.shape()), at, str(x)));
    strides[axis] = 1;
  } else {
    Shape blocks = x;
    blocks[axis] = block > 0 ? (x[axis] + block - 1) / block : -1;
    if (scale.shape() != blocks)
      return failure(ErrorCode::ShapeMismatch,
                     fmt::format("scale {} does not fit blocks of {} along axis {} of {}",
                                 str(scale.shape()), block, at, str(x)));
    strides = rowMajorStrides(blocks);
  }
  size_t next = 0;
  forEachIndex(x, [&](std::span<const int64_t> index) {
    int64_t offset = 0;
    for (size_t i = 0; i < index.size(); ++i)
      offset += (block > 0 && i == axis ? index[i] / block : index[i]) * strides[i];
    which[next++] = offset;
  });
  return which;
}

Result<> checkZeroPoint(const EvalContext& context) {
  if (context.has(2) && context.shape(2) != context.shape(1) &&
      (context.operand(1).numElements() != 1 || context.operand(2).numElements() != 1))
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("zero point {} does not fit scale {}", str(context.shape(2)),
                               str(context.shape(1))));
  return {};
}

} // namespace

void setQuantized(Tensor& tensor, int64_t i, double value) {
  const ElemTypeInfo& type = info(tensor.elem());
  const bool isSigned = type.cls == ElemClass::Signed;
  const double high = std::ldexp(1.0, type.bits - isSigned) - 1, low = isSigned ? -high - 1 : 0;
  tensor.setDouble(i, std::isnan(value) ? 0 : std::clamp(value, low, high));
}

Result<> evalQuantizeLinear(EvalContext& context) {
  const Tensor &x = context.operand(0), &scale = context.operand(1);
  Tensor& y = context.result();
  ENFOLD_RETURN_IF_ERROR(checkZeroPoint(context));
  ENFOLD_TRY(const std::vector<int64_t> which, parameterOfEach(context, scale));
  const auto stated = elemTypeByNumber(static_cast<int>(context.integer("precision")));
  const ElemType precision = stated.value_or(scale.elem());
  const Overflow overflow = context.integer("saturate") ? Overflow::Saturate : Overflow::ToInfinity;
  y.mutableBytes();
  for (int64_t i = 0; i < x.numElements(); ++i) {
    const int64_t p = which[static_cast<size_t>(i)];
    const double divisor = roundedTo(precision, scale.asDouble(p));
    const double quotient = roundedTo(precision, roundedTo(precision, x.asDouble(i)) / divisor);
    const double zero = context.has(2) ? context.operand(2).asDouble(p) : 0;
    if (isSmallFloat(y.elem()))
      setSmallElement(y.elem(), y.mutableBytes(), i, quotient + zero, overflow);
    else
      setQuantized(y, i, std::nearbyint(quotient) + zero);
  }
  return {};
}

Result<> evalDequantizeLinear(EvalContext& context) {
  const Tensor &x = context.operand(0), &scale = context.operand(1);
  ENFOLD_RETURN_IF_ERROR(checkZeroPoint(context));
  ENFOLD_TRY(const std::vector<int64_t> which, parameterOfEach(context, scale));
  for (int64_t i = 0; i < x.numElements(); ++i) {
    const int64_t p = which[static_cast<size_t>(i)];
    const double zero = context.has(2) ? context.operand(2).asDouble(p) : 0;
    context.result().setDouble(i, (x.asDouble(i) - zero) * scale.asDouble(p));
  }
  return {};
}

/// The range [min, max], widened to hold 0, is spread over the 256 codes, in f32. A tensor of zeros
/// has no range; its scale is 1, so that dividing by it stays harmless. A NaN is in no range: the
/// scale is NaN.
Result<> evalDynamicQuantizeLinear(EvalContext& context) {
  const Tensor& x = context.operand();
  float low = 0, high = 0;
  for (int64_t i = 0; i < x.numElements(); ++i) {
    const auto value = static_cast<float>(x.asDouble(i));
    if (value < low || std::isnan(value)) low = value;
    if (value > high || std::isnan(value)) high = value;
  }
  const float range = (high - low) / 255.0f, scale = range == 0 ? 1.0f : range;
  const float zero = std::nearbyint(std::clamp(0 - low / scale, 0.0f, 255.0f));
  for (int64_t i = 0; i < x.numElements(); ++i)
    setQuantized(context.result(0), i,
                 std::nearbyint(static_cast<float>(x.asDouble(i)) / scale) + zero);
  if (context.numResults() > 1) context.result(1).setDouble(0, scale);
  if (context.numResults() > 2) setQuantized(context.result(2), 0, zero);
  return {};
}

Result<Requantization> Requantization::of(const EvalContext& context, size_t channels) {
  const Tensor &x = context.operand(1), &w = context.operand(4), &y = context.operand(6);
  const Tensor& zero = context.operand(7);
  const bool fits = w.numElements() == 1 || w.numElements() == static_cast<int64_t>(channels);
  if (x.numElements() == 0 || y.numElements() != 1 || zero.numElements() != 1 || !fits)
    return failure(ErrorCode::ShapeMismatch,
                   "scales and zero points must be one number, or one a channel for weights");
  return Requantization(x, w, y, zero.asDouble(0));
}

void Requantization::store(Tensor& tensor, int64_t i, int64_t sum, size_t channel,
                           size_t row) const {
  const auto scaleOf = [](const Tensor& scales, size_t at) {
    return static_cast<float>(scales.asDouble(static_cast<int64_t>(at) % scales.numElements()));
  };
  const float factor = scaleOf(x_, row) * scaleOf(w_, channel) / scaleOf(y_, 0);
  const float scaled = static_cast<float>(static_cast<int32_t>(sum)) * factor;
  setQuantized(tensor, i, static_cast<double>(std::nearbyint(scaled)) + zero_);
}

Result<> subtractZeroPoint(std::vector<int64_t>& values, const Tensor& zero, int64_t channels) {
  if (zero.numElements() != 1 && zero.numElements() != channels)
    return failure(ErrorCode::ShapeMismatch, "a zero point must be one number or one a channel");
  const size_t each = values.size() / static_cast<size_t>(std::max<int64_t>(channels, 1));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] -= zero.asInt(zero.numElements() == 1 ? 0 : static_cast<int64_t>(i / each));
  return {};
}

} // namespace enfold::reference
