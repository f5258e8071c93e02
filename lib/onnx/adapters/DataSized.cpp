// Operators whose results have sizes that depend on data. Where the data is known when the model is
// imported, so is what they give: they become constants, or ops that read by constant indices.
#include "onnx/adapters/Adapters.h"
#include "reference/Reference.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace enfold::onnx {
namespace {

/// The value of an operand that the size of the result depends on.
Result<const Tensor*> decisive(const Node& node, size_t i) {
  ENFOLD_TRY(const Value* value, node.required(i));
  if (const Tensor* known = node.known(value)) return known;
  return std::unexpected(
      Error(ErrorKind::DataDependent,
            fmt::format("the size of its result depends on the data of '{}'", value->name())));
}

Tensor listOf(const std::vector<int64_t>& values) {
  return Tensor::of<int64_t>({static_cast<int64_t>(values.size())}, values);
}

int orderOf(auto a, auto b) { return a < b ? -1 : a > b ? 1 : 0; }

/// Numbers in their order, NaN last and equal to itself.
int compareElements(const Tensor& x, int64_t i, int64_t j) {
  if (info(x.elem()).cls == ElemClass::Unsigned)
    return orderOf(static_cast<uint64_t>(x.asInt(i)), static_cast<uint64_t>(x.asInt(j)));
  if (!isFloat(x.elem())) return orderOf(x.asInt(i), x.asInt(j));
  const double a = x.asDouble(i), b = x.asDouble(j);
  if (std::isnan(a) || std::isnan(b)) return orderOf(std::isnan(a), std::isnan(b));
  return orderOf(a, b);
}

/// The slices of a tensor along an axis, [outer, length, inner] elements.
struct Slices {
  const Tensor& x;
  int64_t outer = 1, length = 1, inner = 1;

  Slices(const Tensor& tensor, int64_t axis) : x(tensor) {
    const Shape& shape = x.shape();
    length = shape[static_cast<size_t>(axis)];
    for (size_t d = 0; d < shape.size(); ++d)
      if (static_cast<int64_t>(d) != axis)
        (static_cast<int64_t>(d) < axis ? outer : inner) *= shape[d];
  }
  int compare(int64_t a, int64_t b) const {
    for (int64_t o = 0; o < outer; ++o)
      for (int64_t i = 0; i < inner; ++i)
        if (const int order =
                compareElements(x, (o * length + a) * inner + i, (o * length + b) * inner + i))
          return order;
    return 0;
  }
};

/// What unique finds out: numbers of slices, in the order of the result.
struct Distinct {
  std::vector<int64_t> first, inverse, counts;
};

Distinct distinct(const Slices& slices, bool sorted) {
  std::vector<int64_t> order(static_cast<size_t>(slices.length));
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(i);
  std::ranges::stable_sort(order, [&](int64_t a, int64_t b) { return slices.compare(a, b) < 0; });
  std::vector<std::vector<int64_t>> classes; // each in the order of the operand
  for (const int64_t i : order) {
    if (classes.empty() || slices.compare(classes.back().front(), i) != 0) classes.emplace_back();
    classes.back().push_back(i);
  }
  if (!sorted) std::ranges::sort(classes, {}, [](const auto& members) { return members.front(); });
  Distinct found;
  found.inverse.resize(order.size());
  for (const auto& members : classes) {
    for (const int64_t i : members)
      found.inverse[static_cast<size_t>(i)] = static_cast<int64_t>(found.first.size());
    found.first.push_back(members.front());
    found.counts.push_back(static_cast<int64_t>(members.size()));
  }
  return found;
}

bool isZero(const Tensor& x, int64_t i) {
  return isFloat(x.elem()) ? x.asDouble(i) == 0 : x.asInt(i) == 0;
}

/// The operand as a list.
Result<Value*> flattened(Node& node, Value* x) {
  return node.emit(OpKind::Reshape, {x, node.intsConstant({-1}, "list")});
}

Result<> refuseComplex(const Value* x) {
  if (info(x->elem()).cls != ElemClass::Complex) return {};
  return failure(ErrorCode::UnsupportedType,
                 fmt::format("it does not work on elements of type {}", name(x->elem())));
}

} // namespace

// What a constant condition selects is read by constant indices. Conditions may be shorter than the
// axis, and what they hold beyond it selects nothing.
Result<Values> compress(Node& node) {
  ENFOLD_TRY(Value * x, node.required(0));
  ENFOLD_TRY(const Tensor* condition, decisive(node, 1));
  ENFOLD_TRY(const auto axis, node.take<int64_t>("axis"));
  if (condition->elem() != ElemType::Bool || condition->rank() != 1)
    return failure(
        ErrorCode::TypeMismatch,
        fmt::format("its condition must be a list of bools, not {}", condition->type().str()));
  if (!axis) {
    ENFOLD_TRY(x, flattened(node, x));
  }
  ENFOLD_TRY(const int64_t along, normalizeAxis(axis.value_or(0), x->type().rank()));
  const int64_t size = std::min(condition->numElements(), x->shape()[static_cast<size_t>(along)]);
  std::vector<int64_t> selected;
  for (int64_t i = 0; i < size; ++i)
    if (!isZero(*condition, i)) selected.push_back(i);
  return node.finish(OpKind::Gather, {x, node.intsConstant(selected, "selected")},
                     {{"axis", along}});
}

Result<Values> nonZero(Node& node) {
  ENFOLD_TRY(const Tensor* x, decisive(node, 0));
  ENFOLD_RETURN_IF_ERROR(refuseComplex(node.operand(0)));
  const Shape& shape = x->shape();
  std::vector<int64_t> found;
  for (int64_t i = 0; i < x->numElements(); ++i)
    if (!isZero(*x, i)) found.push_back(i);
  Tensor places(ElemType::I64, {x->rank(), static_cast<int64_t>(found.size())});
  auto* to = places.mutableData<int64_t>();
  int64_t stride = x->numElements();
  for (const int64_t size : shape) {
    stride = size > 0 ? stride / size : 0;
    for (const int64_t i : found) *to++ = i / stride % size;
  }
  return node.finishAs({node.constant(std::move(places), "places")});
}

Result<Values> unique(Node& node) {
  ENFOLD_TRY(const auto axis, node.take<int64_t>("axis"));
  ENFOLD_TRY(const int64_t sorted, node.takeRow<int64_t>("sorted: flag = 1"));
  ENFOLD_TRY(const Tensor* x, decisive(node, 0));
  ENFOLD_RETURN_IF_ERROR(refuseComplex(node.operand(0)));
  const Tensor list = axis ? *x : x->reshaped({x->numElements()});
  ENFOLD_TRY(const int64_t along, normalizeAxis(axis.value_or(0), list.rank()));
  const Distinct found = distinct(Slices(list, along), sorted != 0);
  Value* from = node.operand(0);
  if (!axis) {
    ENFOLD_TRY(from, flattened(node, from));
  }
  Value* first = node.constant(listOf(found.first), "first");
  ENFOLD_TRY(Value * y, node.emit(OpKind::Gather, {from, first}, {{"axis", along}}));
  return node.finishAs({y, first, node.constant(listOf(found.inverse), "inverse"),
                        node.constant(listOf(found.counts), "counts")});
}

// Where a model states the size and the boxes are not known, it holds.
Result<Values> knownNonMaxSuppression(Node& node) {
  const auto isKnown = [&](const Value* value) { return !value || node.known(value); };
  if (!node.declared.empty() && node.declared.front() &&
      !std::ranges::all_of(node.operands, isKnown))
    return node.finish();
  ENFOLD_TRY(const int64_t center, node.takeRow<int64_t>("center_point_box: flag = 0"));
  std::vector<const Tensor*> operands;
  for (size_t i = 0; i < node.operands.size(); ++i) {
    operands.push_back(nullptr);
    if (!node.operand(i)) continue;
    ENFOLD_TRY(operands.back(), decisive(node, i));
  }
  if (operands.size() < 2 || !operands[0] || !operands[1])
    return failure(ErrorCode::BadOperands, "it lacks its boxes or scores");
  const AttrMap attrs = {{"center_point_box", center}};
  const Type rows{ElemType::I64, {0, 3}, {}};
  ENFOLD_TRY(const auto selected,
             reference::evaluate(OpKind::NonMaxSuppression, operands, attrs, std::span(&rows, 1)));
  return node.finishAs({node.constant(selected.front(), "selected")});
}

} // namespace enfold::onnx
