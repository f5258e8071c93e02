// Reading per-channel arithmetic off an op.
#include "passes/ScaleShift.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace enfold {
namespace {

/// The numbers of a constant per position along `axis` of a tensor of shape `shape`, to which it
/// broadcasts; none when it varies along another axis.
std::optional<std::vector<double>> numbersAlong(const Tensor& tensor, int64_t axis,
                                                const Shape& shape) {
  const auto channels = static_cast<size_t>(shape[static_cast<size_t>(axis)]);
  if (tensor.numElements() == 1) return std::vector<double>(channels, tensor.asDouble(0));
  const int64_t lead = static_cast<int64_t>(shape.size()) - tensor.rank();
  for (int64_t i = 0; i < tensor.rank(); ++i)
    if (tensor.shape()[static_cast<size_t>(i)] != 1 && i + lead != axis) return std::nullopt;
  if (tensor.numElements() != static_cast<int64_t>(channels)) return std::nullopt;
  std::vector<double> numbers(channels);
  for (size_t c = 0; c < channels; ++c) numbers[c] = tensor.asDouble(static_cast<int64_t>(c));
  return numbers;
}

OrRefusal<ScaleShift> ofBatchNorm(const Op& op, const Value* x, int64_t axis,
                                  const PassOptions& options) {
  if (op.integer("training_mode") != 0 && !options.assumeInferenceBn)
    return refuse(Reason::BnTrainingMode, "it normalizes by the statistics of its own batch");
  for (size_t i = 1; i < op.numResults(); ++i)
    if (op.result(i)->numUses() != 0)
      return refuse(Reason::BnTrainingMode, "its running statistics are read");
  constexpr std::string_view kNames[] = {"", "scale", "bias", "mean", "variance"};
  const Tensor* params[5] = {};
  for (size_t i = 1; i <= 4; ++i) {
    params[i] = op.own(i)->constant();
    if (!params[i])
      return refuse(
          Reason::BnNotConstant,
          fmt::format("its {} is {}", kNames[i],
                      op.own(i)->producer() ? "computed" : "an input that a caller may give"));
  }
  if (axis != (x->type().rank() > 1 ? 1 : 0))
    return refuse(Reason::OtherAxis, fmt::format("channels of the product are axis {}", axis));
  const double epsilon = op.real("epsilon");
  ScaleShift result;
  // A vector is a batch of a single channel, whose numbers hold for all of it.
  for (int64_t i = 0; i < x->shape()[static_cast<size_t>(axis)]; ++i) {
    const int64_t c = axis == 0 ? 0 : i;
    const double scale = params[1]->asDouble(c) / std::sqrt(params[4]->asDouble(c) + epsilon);
    result.scale.push_back(scale);
    result.shift.push_back(params[2]->asDouble(c) - params[3]->asDouble(c) * scale);
  }
  if (!result.isFinite())
    return refuse(Reason::NotFinite, "variance plus epsilon is not positive, or a parameter is "
                                     "infinite or NaN");
  return result;
}

OrRefusal<ScaleShift> ofArithmetic(const Op& op, const Value* x, int64_t axis) {
  const auto channels = static_cast<size_t>(x->shape()[static_cast<size_t>(axis)]);
  ScaleShift result{std::vector<double>(channels, 1), std::vector<double>(channels, 0)};
  if (op.kind() == OpKind::Neg) {
    result.scale.assign(channels, -1);
    return result;
  }
  const bool xIsLeft = op.own(0) == x;
  const Value* other = op.own(xIsLeft ? 1 : 0);
  const Tensor* constant = other->constant();
  if (!constant) return refuse(Reason::DataDependent, "its other operand is computed");
  if (op.result()->shape() != x->shape())
    return refuse(Reason::ShapeGrows, "its constant broadcasts the operand to a larger shape");
  const auto numbers = numbersAlong(*constant, axis, x->shape());
  if (!numbers) return refuse(Reason::OtherAxis, "its constant varies within a channel");
  for (size_t c = 0; c < channels; ++c) {
    const double number = (*numbers)[c];
    switch (op.kind()) {
    case OpKind::Add:
      result.shift[c] = number;
      break;
    case OpKind::Sub:
      result.scale[c] = xIsLeft ? 1 : -1;
      result.shift[c] = xIsLeft ? -number : number;
      break;
    case OpKind::Mul:
      result.scale[c] = number;
      break;
    default: // Div, by the constant
      result.scale[c] = 1 / number;
    }
  }
  if (!result.isFinite())
    return refuse(Reason::NotFinite, "its constant holds zero divisors, infinities or NaN");
  return result;
}

} // namespace

bool ScaleShift::hasScale() const {
  return std::ranges::any_of(scale, [](double v) { return v != 1; });
}

bool ScaleShift::hasShift() const {
  return std::ranges::any_of(shift, [](double v) { return v != 0; });
}

bool ScaleShift::isFinite() const {
  const auto finite = [](double v) { return std::isfinite(v); };
  return std::ranges::all_of(scale, finite) && std::ranges::all_of(shift, finite);
}

ScaleShift ScaleShift::then(const ScaleShift& next) const {
  ScaleShift result = *this;
  for (size_t c = 0; c < scale.size(); ++c) {
    result.scale[c] = scale[c] * next.scale[c];
    result.shift[c] = shift[c] * next.scale[c] + next.shift[c];
  }
  return result;
}

bool isScaleShiftKind(const Op& op, const Value* x) {
  switch (op.kind()) {
  case OpKind::BatchNormalization:
    return op.own(0) == x;
  case OpKind::Neg:
    return true;
  case OpKind::Add:
  case OpKind::Sub:
  case OpKind::Mul:
    return op.own(op.own(0) == x ? 1 : 0)->constant() != nullptr;
  case OpKind::Div: // a quotient by x is not linear in it
    return op.own(0) == x && op.own(1)->constant() != nullptr;
  default:
    return false;
  }
}

OrRefusal<ScaleShift> scaleShiftOf(const Op& op, const Value* x, int64_t axis,
                                   const PassOptions& options) {
  ENFOLD_CHECK(isScaleShiftKind(op, x), "an op that is no per-channel arithmetic");
  if (!isFloat(x->elem()))
    return refuse(Reason::ElementType, "only floating-point arithmetic is distributive enough");
  if (!op.epilogue().empty()) return refuse(Reason::FusedElsewhere, "it carries an epilogue");
  return op.kind() == OpKind::BatchNormalization ? ofBatchNorm(op, x, axis, options)
                                                 : ofArithmetic(op, x, axis);
}

Tensor channelTensor(std::span<const double> numbers, ElemType elem, int64_t axis, int64_t rank) {
  Shape shape(static_cast<size_t>(rank - axis), 1);
  shape[0] = static_cast<int64_t>(numbers.size());
  Tensor tensor(elem, std::move(shape));
  for (size_t c = 0; c < numbers.size(); ++c) tensor.setDouble(static_cast<int64_t>(c), numbers[c]);
  return tensor;
}

} // namespace enfold
