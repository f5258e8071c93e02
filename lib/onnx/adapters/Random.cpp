// Operators that draw random numbers. Without a seed, an operator's name is its seed, so that two
// of them draw different numbers.
#include "onnx/adapters/Random.h"

#include "onnx/TensorCodec.h"
#include "onnx/adapters/Adapters.h"
#include "onnx/adapters/Compose.h"
#include "support/ErrorCodes.h"
#include "support/Hash.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <numbers>
#include <random>

namespace enfold::onnx {
namespace {

/// Of what a model of a few bytes can ask for.
constexpr int64_t kMostRandomNumbers = int64_t{1} << 27;

Result<uint32_t> takeSeed(Node& node) {
  ENFOLD_TRY(const auto seed, node.take<float>("seed"));
  if (!seed) return static_cast<uint32_t>(hashString(node.origin));
  const bool isWhole = *seed >= 0 && *seed < 4294967296.0f && std::floor(*seed) == *seed;
  return isWhole ? static_cast<uint32_t>(*seed) : std::bit_cast<uint32_t>(*seed);
}

/// The attribute dtype; without it `fallback`.
Result<ElemType> takeElem(Node& node, ElemType fallback) {
  ENFOLD_TRY(const auto number, node.take<int64_t>("dtype"));
  if (!number) return fallback;
  if (*number < 0 || *number > INT32_MAX)
    return failure(ErrorCode::BadAttribute, "attribute 'dtype' is no element type");
  return decodeElemType(static_cast<int>(*number));
}

Tensor converted(const Tensor& numbers, ElemType elem) {
  Tensor result(elem, numbers.shape());
  for (int64_t i = 0; i < numbers.numElements(); ++i) result.setDouble(i, numbers.asDouble(i));
  return result;
}

/// shift + scale * number, for the node's result.
Result<Values> drawn(Node& node, const Shape& shape, ElemType elem, bool normal, double scale,
                     double shift) {
  if (!isFloat(elem))
    return failure(ErrorCode::TypeMismatch,
                   fmt::format("it draws no numbers of type {}", name(elem)));
  ENFOLD_RETURN_IF_ERROR(checkRandomCount(shape));
  ENFOLD_TRY(const uint32_t seed, takeSeed(node));
  Tensor numbers = normal ? normalNumbers(shape, seed) : uniformNumbers(shape, seed);
  for (int64_t i = 0; i < numbers.numElements(); ++i)
    numbers.setDouble(i, shift + scale * numbers.asDouble(i));
  return node.finishAs({node.constant(converted(numbers, elem), "numbers")});
}

Result<Values> normal(Node& node, const Shape& shape, ElemType elem) {
  ENFOLD_TRY(const float mean, node.take<float>("mean", 0.0f));
  ENFOLD_TRY(const float scale, node.take<float>("scale", 1.0f));
  return drawn(node, shape, elem, true, scale, mean);
}

Result<Values> uniform(Node& node, const Shape& shape, ElemType elem) {
  ENFOLD_TRY(const float low, node.take<float>("low", 0.0f));
  ENFOLD_TRY(const float high, node.take<float>("high", 1.0f));
  return drawn(node, shape, elem, false, double(high) - double(low), low);
}

Result<Shape> takeShape(Node& node) {
  ENFOLD_TRY(const auto shape, node.take<std::vector<int64_t>>("shape"));
  if (!shape) return failure(ErrorCode::BadAttribute, "it lacks its attribute 'shape'");
  return Shape(shape->begin(), shape->end());
}

/// The type of the result of an operator that takes its operand's shape.
Result<ElemType> likeOperand(Node& node) {
  ENFOLD_TRY(const Value* x, node.required(0));
  return takeElem(node, x->elem());
}

} // namespace

Tensor uniformNumbers(const Shape& shape, uint32_t seed) {
  std::mt19937 bits(seed);
  Tensor numbers(ElemType::F64, shape);
  double* data = numbers.mutableData<double>();
  for (int64_t i = 0; i < numbers.numElements(); ++i) {
    const double high = bits() >> 5, low = bits() >> 6;
    data[i] = (high * 67108864 + low) / 9007199254740992;
  }
  return numbers;
}

Tensor normalNumbers(const Shape& shape, uint32_t seed) {
  const int64_t count = numElements(shape);
  const Tensor uniform = uniformNumbers({(count + 1) / 2 * 2}, seed);
  Tensor numbers(ElemType::F64, shape);
  double* data = numbers.mutableData<double>();
  for (int64_t i = 0; i < count; ++i) {
    const double radius = std::sqrt(-2 * std::log(1 - uniform.asDouble(i / 2 * 2)));
    const double angle = 2 * std::numbers::pi * uniform.asDouble(i / 2 * 2 + 1);
    data[i] = radius * (i % 2 ? std::sin(angle) : std::cos(angle));
  }
  return numbers;
}

Result<> checkRandomCount(const Shape& shape) {
  ENFOLD_RETURN_IF_ERROR(checkShape(shape, ElemType::F64));
  if (numElements(shape) > kMostRandomNumbers)
    return unsupported("it draws too many random numbers");
  return {};
}

Result<Values> randomNormal(Node& node) {
  ENFOLD_TRY(const Shape shape, takeShape(node));
  ENFOLD_TRY(const ElemType elem, takeElem(node, ElemType::F32));
  return normal(node, shape, elem);
}

Result<Values> randomUniform(Node& node) {
  ENFOLD_TRY(const Shape shape, takeShape(node));
  ENFOLD_TRY(const ElemType elem, takeElem(node, ElemType::F32));
  return uniform(node, shape, elem);
}

Result<Values> randomNormalLike(Node& node) {
  ENFOLD_TRY(const ElemType elem, likeOperand(node));
  return normal(node, node.operand(0)->shape(), elem);
}

Result<Values> randomUniformLike(Node& node) {
  ENFOLD_TRY(const ElemType elem, likeOperand(node));
  return uniform(node, node.operand(0)->shape(), elem);
}

// 1 where a number drawn is below the probability.
Result<Values> bernoulli(Node& node) {
  ENFOLD_TRY(const ElemType elem, likeOperand(node));
  Value* x = node.operand(0);
  if (!isFloat(x->elem()) || (!isFloat(elem) && !isInteger(elem) && elem != ElemType::Bool))
    return failure(ErrorCode::TypeMismatch,
                   fmt::format("it makes no {} of {}", name(elem), name(x->elem())));
  ENFOLD_RETURN_IF_ERROR(checkRandomCount(x->shape()));
  ENFOLD_TRY(const uint32_t seed, takeSeed(node));
  Compose to(node);
  ENFOLD_TRY(Value * probability, to.cast(x, ElemType::F64));
  Value* numbers = node.constant(uniformNumbers(x->shape(), seed), "numbers");
  ENFOLD_TRY(Value * isOne, to.binary(OpKind::Less, numbers, probability));
  ENFOLD_TRY(Value * y, to.cast(isOne, elem));
  return node.finishAs({y});
}

// A class for each number drawn: as many as have probabilities that add up to less.
Result<Values> multinomial(Node& node) {
  ENFOLD_TRY(const int64_t count, node.takeRow<int64_t>("sample_size: int = 1 >= 1"));
  ENFOLD_TRY(const ElemType elem, takeElem(node, ElemType::I32));
  ENFOLD_TRY(Value * x, node.required(0));
  if (x->type().rank() != 2 || !isFloat(x->elem()) || x->shape()[1] < 1)
    return invalid(fmt::format("its logarithms of probabilities are {}", x->type().str()));
  if (elem != ElemType::I32 && elem != ElemType::I64)
    return failure(ErrorCode::TypeMismatch,
                   fmt::format("it draws no classes of type {}", name(elem)));
  const Shape drawn = {x->shape()[0], count, 1};
  ENFOLD_RETURN_IF_ERROR(checkRandomCount(drawn));
  ENFOLD_TRY(const uint32_t seed, takeSeed(node));
  Compose to(node);
  ENFOLD_TRY(Value * wide, to.cast(x, ElemType::F64));
  ENFOLD_TRY(Value * probability, to.unary(OpKind::Softmax, wide));
  Value* axis = node.constant(Tensor::scalar(int64_t{1}), "axis");
  ENFOLD_TRY(Value * sums, to.binary(OpKind::CumSum, probability, axis));
  // The last sum is 1 but for rounding: it is left out.
  ENFOLD_TRY(sums, to.slice(sums, 1, 0, x->shape()[1] - 1));
  ENFOLD_TRY(sums, to.reshape(sums, {x->shape()[0], 1, x->shape()[1] - 1}));
  Value* numbers = node.constant(uniformNumbers(drawn, seed), "numbers");
  ENFOLD_TRY(Value * isBelow, to.binary(OpKind::LessOrEqual, sums, numbers));
  ENFOLD_TRY(Value * ones, to.cast(isBelow, elem));
  ENFOLD_TRY(Value * y, node.emit(OpKind::ReduceSum, {ones, node.intsConstant({2}, "classes")},
                                  {{"keepdims", int64_t{0}}}));
  return node.finishAs({y});
}

} // namespace enfold::onnx
