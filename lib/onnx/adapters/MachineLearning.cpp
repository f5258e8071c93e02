// Operators of the domain ai.onnx.ml that work on tables of numbers, one row for each sample, taken
// apart into those of ONNX.
#include "onnx/adapters/Adapters.h"
#include "onnx/adapters/Compose.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <cmath>

namespace enfold::onnx {
namespace {

using Floats = std::vector<float>;
using Ints = std::vector<int64_t>;

Tensor rowOf(const Floats& values) {
  return Tensor::of<float>({static_cast<int64_t>(values.size())}, std::span(values));
}

Tensor rowOf(const Ints& values) {
  return Tensor::of<int64_t>({static_cast<int64_t>(values.size())}, std::span(values));
}

/// The node is that op; all of its attributes must have been taken.
Result<Values> finish(Node& node, OpKind kind, Values operands, AttrMap attrs = {}) {
  ENFOLD_TRY(Value * result, node.emit(kind, std::move(operands), std::move(attrs)));
  return node.finishAs({result});
}

/// A constant of `values`, of which there must be one or as many as x has columns.
Result<Value*> perColumn(Node& node, Value* x, Tensor values, std::string_view what) {
  const int64_t columns = x->type().rank() > 0 ? x->shape().back() : 1;
  if (values.numElements() != 1 && values.numElements() != columns)
    return failure(ErrorCode::ShapeMismatch, fmt::format("{} of {} numbers for {} columns", what,
                                                         values.numElements(), columns));
  return node.constant(std::move(values), what);
}

/// One row of numbers or several as f32[rows, columns].
Result<Value*> tableOf(Node& node, Value* x) {
  Compose to(node);
  if (x->type().rank() != 1 && x->type().rank() != 2)
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("its input is {}, not a table", x->type().str()));
  ENFOLD_TRY(Value * table, to.cast(x, ElemType::F32));
  return x->type().rank() == 2 ? Result<Value*>(table) : to.reshape(table, {1, x->shape()[0]});
}

/// x · coefficients transposed + intercepts, for `rows` results.
Result<Value*> linear(Node& node, int64_t rows) {
  ENFOLD_TRY(Value * x, node.required(0));
  ENFOLD_TRY(Value * table, tableOf(node, x));
  ENFOLD_TRY(const Floats coefficients, node.take<Floats>("coefficients", {}));
  ENFOLD_TRY(const Floats intercepts, node.take<Floats>("intercepts", {}));
  const int64_t columns = table->shape()[1];
  if (rows < 1 || static_cast<int64_t>(coefficients.size()) != rows * columns)
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("{} coefficients for {} columns and {} results", coefficients.size(),
                               columns, rows));
  if (!intercepts.empty() && static_cast<int64_t>(intercepts.size()) != rows)
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("{} intercepts for {} results", intercepts.size(), rows));
  Tensor weights = Tensor::of<float>({rows, columns}, std::span(coefficients));
  Values operands = {table, node.constant(std::move(weights), "coefficients")};
  if (!intercepts.empty()) operands.push_back(node.constant(rowOf(intercepts), "intercepts"));
  return node.emit(OpKind::Gemm, std::move(operands), {{"transB", int64_t{1}}});
}

/// What is applied to the scores of a row last.
Result<Value*> transformed(Node& node, Value* scores) {
  ENFOLD_TRY(
      const std::string transform,
      node.takeRow<std::string>(
          "post_transform: string = NONE in {NONE, SOFTMAX, LOGISTIC, SOFTMAX_ZERO, PROBIT}"));
  if (transform == "NONE") return scores;
  if (transform == "SOFTMAX") return node.emit(OpKind::Softmax, {scores}, {{"axis", int64_t{-1}}});
  if (transform == "LOGISTIC") return node.emit(OpKind::Sigmoid, {scores});
  return unsupported(fmt::format("post_transform {} is not supported", transform));
}

/// Whether each element of x, as a column behind it, is each of `keys`: bool[..., keys].
Result<Value*> isKey(Node& node, Value* x, Tensor keys) {
  Compose to(node);
  Shape shape = x->shape();
  shape.push_back(1);
  ENFOLD_TRY(Value * column, to.reshape(x, shape));
  return to.binary(OpKind::Equal, column, node.constant(std::move(keys), "keys"));
}

} // namespace

Result<Values> arrayFeatureExtractor(Node& node) {
  ENFOLD_TRY(Value * x, node.required(0));
  ENFOLD_TRY(Value * columns, node.required(1));
  Compose to(node);
  ENFOLD_TRY(Value * table,
             x->type().rank() == 1 ? to.reshape(x, {1, x->shape()[0]}) : Result<Value*>(x));
  ENFOLD_TRY(Value * row, to.reshape(columns, {columns->type().numElements()}));
  return finish(node, OpKind::Gather, {table, row}, {{"axis", int64_t{-1}}});
}

Result<Values> binarizer(Node& node) {
  ENFOLD_TRY(Value * x, node.required(0));
  ENFOLD_TRY(const float threshold, node.takeRow<float>("threshold: float = 0"));
  Compose to(node);
  ENFOLD_TRY(Value * isOver,
             to.binary(OpKind::Greater, x, node.scalarConstant(x->elem(), threshold, "threshold")));
  ENFOLD_TRY(Value * result, to.cast(isOver, x->elem()));
  return node.finishAs({result});
}

Result<Values> featureVectorizer(Node& node) {
  ENFOLD_TRY(const Ints sizes, node.take<Ints>("inputdimensions", {}));
  if (sizes.size() != node.operands.size())
    return failure(ErrorCode::BadAttribute, fmt::format("{} inputdimensions for {} inputs",
                                                        sizes.size(), node.operands.size()));
  Compose to(node);
  Values parts;
  for (size_t i = 0; i < sizes.size(); ++i) {
    ENFOLD_TRY(Value * x, node.required(i));
    ENFOLD_TRY(Value * part, tableOf(node, x));
    const int64_t columns = part->shape()[1];
    if (sizes[i] < 0) return invalid(fmt::format("a part of {} columns", sizes[i]));
    if (sizes[i] < columns) {
      ENFOLD_TRY(part, to.slice(part, 1, 0, sizes[i]));
    } else if (sizes[i] > columns) {
      Value* none =
          node.constant(Tensor(ElemType::F32, {part->shape()[0], sizes[i] - columns}), "none");
      ENFOLD_TRY(part, to.concat({part, none}, 1));
    }
    parts.push_back(part);
  }
  ENFOLD_TRY(Value * all, to.concat(std::move(parts), 1));
  return node.finishAs({all});
}

Result<Values> imputer(Node& node) {
  ENFOLD_TRY(Value * x, node.required(0));
  ENFOLD_TRY(const Floats floats, node.take<Floats>("imputed_value_floats", {}));
  ENFOLD_TRY(const Ints ints, node.take<Ints>("imputed_value_int64s", {}));
  ENFOLD_TRY(const float lostFloat, node.takeRow<float>("replaced_value_float: float = 0"));
  ENFOLD_TRY(const int64_t lostInt, node.takeRow<int64_t>("replaced_value_int64: int = 0"));
  const bool isNumber = isFloat(x->elem());
  if (isNumber ? floats.empty() : ints.empty())
    return invalid(fmt::format("it has no values to put into {}", x->type().str()));
  Compose to(node);
  Tensor values = isNumber ? rowOf(floats) : rowOf(ints);
  ENFOLD_TRY(Value * given, perColumn(node, x, std::move(values), "imputed values"));
  ENFOLD_TRY(given, to.cast(given, x->elem()));
  Value* isLost = nullptr;
  if (isNumber && std::isnan(lostFloat)) {
    ENFOLD_TRY(isLost, to.unary(OpKind::IsNaN, x));
  } else {
    ENFOLD_TRY(Value * lost, to.cast(isNumber ? node.constant(rowOf(Floats{lostFloat}), "lost")
                                              : node.constant(rowOf(Ints{lostInt}), "lost"),
                                     x->elem()));
    ENFOLD_TRY(isLost, to.binary(OpKind::Equal, x, lost));
  }
  return finish(node, OpKind::Where, {isLost, given, x});
}

Result<Values> labelEncoder(Node& node) {
  ENFOLD_TRY(Value * x, node.required(0));
  ENFOLD_TRY(const Floats floatKeys, node.take<Floats>("keys_floats", {}));
  ENFOLD_TRY(const Ints intKeys, node.take<Ints>("keys_int64s", {}));
  ENFOLD_TRY(const Floats floats, node.take<Floats>("values_floats", {}));
  ENFOLD_TRY(const Ints ints, node.take<Ints>("values_int64s", {}));
  ENFOLD_TRY(const float otherFloat, node.takeRow<float>("default_float: float = 0"));
  ENFOLD_TRY(const int64_t otherInt, node.takeRow<int64_t>("default_int64: int = -1"));
  node.drop({"default_string"});
  for (const char* attr : {"keys_strings", "values_strings", "classes_strings", "keys_tensor",
                           "values_tensor", "default_tensor"})
    if (node.attrs.contains(attr))
      return unsupported(fmt::format("its attribute {} is not supported", attr));
  const size_t keys = std::max(floatKeys.size(), intKeys.size());
  const size_t values = std::max(floats.size(), ints.size());
  if (keys == 0 || keys != values || (!floatKeys.empty() && !intKeys.empty()))
    return invalid(fmt::format("it has {} keys and {} values", keys, values));
  const bool givesFloats = !floats.empty();
  Compose to(node);
  ENFOLD_TRY(Value * here, isKey(node, x, floatKeys.empty() ? rowOf(intKeys) : rowOf(floatKeys)));
  ENFOLD_TRY(Value * found, to.cast(here, ElemType::I32));
  ENFOLD_TRY(Value * place,
             node.emit(OpKind::ArgMax, {found}, {{"axis", int64_t{-1}}, {"keepdims", int64_t{0}}}));
  ENFOLD_TRY(Value * any, node.emit(OpKind::ReduceMax, {found, node.intsConstant({-1}, "axis")},
                                    {{"keepdims", int64_t{0}}}));
  ENFOLD_TRY(Value * isKnown, to.cast(any, ElemType::Bool));
  Value* table = node.constant(givesFloats ? rowOf(floats) : rowOf(ints), "values");
  Value* other =
      node.constant(givesFloats ? Tensor::scalar(otherFloat) : Tensor::scalar(otherInt), "default");
  ENFOLD_TRY(Value * picked, to.binary(OpKind::Gather, table, place));
  return finish(node, OpKind::Where, {isKnown, picked, other});
}

Result<Values> linearClassifier(Node& node) {
  ENFOLD_TRY(const Ints labels, node.take<Ints>("classlabels_ints", {}));
  node.drop({"multi_class"}); // the scores are the same
  if (labels.size() < 2)
    return failure(ErrorCode::UnsupportedType, "labels that are strings, or fewer than two labels");
  ENFOLD_TRY(Value * raw, linear(node, static_cast<int64_t>(labels.size())));
  Compose to(node);
  ENFOLD_TRY(Value * best,
             node.emit(OpKind::ArgMax, {raw}, {{"axis", int64_t{1}}, {"keepdims", int64_t{0}}}));
  ENFOLD_TRY(Value * label,
             to.binary(OpKind::Gather, node.constant(rowOf(labels), "labels"), best));
  ENFOLD_TRY(Value * scores, transformed(node, raw));
  return node.finishAs({label, scores});
}

Result<Values> linearRegressor(Node& node) {
  ENFOLD_TRY(const int64_t targets, node.takeRow<int64_t>("targets: int = 1"));
  ENFOLD_TRY(Value * raw, linear(node, targets));
  ENFOLD_TRY(Value * result, transformed(node, raw));
  return node.finishAs({result});
}

Result<Values> normalizer(Node& node) {
  ENFOLD_TRY(Value * x, node.required(0));
  ENFOLD_TRY(const std::string norm,
             node.takeRow<std::string>("norm: string = MAX in {MAX, L1, L2}"));
  Compose to(node);
  ENFOLD_TRY(Value * numbers, to.cast(x, ElemType::F32));
  const OpKind kind = norm == "MAX"  ? OpKind::ReduceMax
                      : norm == "L1" ? OpKind::ReduceL1
                                     : OpKind::ReduceL2;
  ENFOLD_TRY(Value * size, node.emit(kind, {numbers, node.intsConstant({-1}, "axis")}));
  ENFOLD_TRY(Value * isNothing,
             to.binary(OpKind::Equal, size, node.scalarConstant(ElemType::F32, 0, "zero")));
  ENFOLD_TRY(
      Value * divisor,
      node.emit(OpKind::Where, {isNothing, node.scalarConstant(ElemType::F32, 1, "one"), size}));
  return finish(node, OpKind::Div, {numbers, divisor});
}

Result<Values> oneHotEncoder(Node& node) {
  ENFOLD_TRY(Value * x, node.required(0));
  ENFOLD_TRY(const Ints categories, node.take<Ints>("cats_int64s", {}));
  ENFOLD_TRY(const int64_t zeros, node.takeRow<int64_t>("zeros: flag = 1"));
  if (categories.empty()) return failure(ErrorCode::UnsupportedType, "categories that are strings");
  if (zeros == 0) return unsupported("zeros = 0, which makes an unknown category an error");
  Compose to(node);
  ENFOLD_TRY(Value * whole, to.cast(x, ElemType::I64));
  ENFOLD_TRY(Value * here, isKey(node, whole, rowOf(categories)));
  ENFOLD_TRY(Value * result, to.cast(here, ElemType::F32));
  return node.finishAs({result});
}

Result<Values> scaler(Node& node) {
  ENFOLD_TRY(Value * x, node.required(0));
  ENFOLD_TRY(const Floats offset, node.take<Floats>("offset", {0}));
  ENFOLD_TRY(const Floats scale, node.take<Floats>("scale", {1}));
  Compose to(node);
  ENFOLD_TRY(Value * numbers, to.cast(x, ElemType::F32));
  ENFOLD_TRY(Value * shift, perColumn(node, x, rowOf(offset), "offset"));
  ENFOLD_TRY(Value * factor, perColumn(node, x, rowOf(scale), "scale"));
  ENFOLD_TRY(Value * centred, to.binary(OpKind::Sub, numbers, shift));
  return finish(node, OpKind::Mul, {centred, factor});
}

} // namespace enfold::onnx
