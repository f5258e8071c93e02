// Products over labelled axes, which are matrix products between transpositions.
#include "ir/Einsum.h"
#include "passes/decompose/Parts.h"

#include <algorithm>

namespace enfold {
namespace {

using Labels = std::vector<size_t>;

bool holds(const Labels& labels, size_t label) {
  return std::ranges::find(labels, label) != labels.end();
}

/// A tensor and the label of each of its axes.
struct Labelled {
  Value* value;
  Labels labels;
};

class Contraction {
public:
  Contraction(Parts& parts, const EinsumLabels& equation) : parts_(parts), equation_(equation) {}

  /// Every axis has a label of its own, of the label's size.
  bool isPlain(const Labelled& x) const {
    for (size_t i = 0; i < x.labels.size(); ++i)
      if (x.value->shape()[i] != equation_.sizes[x.labels[i]] ||
          std::ranges::count(x.labels, x.labels[i]) > 1)
        return false;
    return true;
  }

  /// Sums over the axes whose label is not in `kept`.
  Labelled summed(const Labelled& x, const Labels& kept) {
    std::vector<int64_t> axes;
    Labelled y{x.value, {}};
    for (size_t i = 0; i < x.labels.size(); ++i) {
      if (holds(kept, x.labels[i]))
        y.labels.push_back(x.labels[i]);
      else
        axes.push_back(static_cast<int64_t>(i));
    }
    if (!axes.empty())
      y.value = parts_.make(OpKind::ReduceSum, {x.value, parts_.ints(axes, "axes")},
                            {{"keepdims", int64_t{0}}});
    return y;
  }

  /// Sums products over the labels that `kept` lacks.
  Labelled product(const Labelled& left, const Labelled& right, const Labels& kept) {
    Labels needed = kept;
    needed.insert(needed.end(), right.labels.begin(), right.labels.end());
    const Labelled a = summed(left, needed);
    needed = kept;
    needed.insert(needed.end(), a.labels.begin(), a.labels.end());
    const Labelled b = summed(right, needed);
    Labels batch, inner, rows, columns;
    for (const size_t label : a.labels)
      (holds(b.labels, label) ? holds(kept, label) ? batch : inner : rows).push_back(label);
    for (const size_t label : b.labels)
      if (!holds(a.labels, label)) columns.push_back(label);
    Value* y = parts_.make(OpKind::MatMul,
                           {matrix(a, batch, rows, inner), matrix(b, batch, inner, columns)});
    Labels labels = batch;
    labels.insert(labels.end(), rows.begin(), rows.end());
    labels.insert(labels.end(), columns.begin(), columns.end());
    return {parts_.reshape(y, shapeOf(labels)), std::move(labels)};
  }

  Value* inOrder(const Labelled& x, const Labels& order) {
    std::vector<int64_t> perm;
    for (const size_t label : order)
      perm.push_back(std::ranges::find(x.labels, label) - x.labels.begin());
    if (std::ranges::is_sorted(perm)) return x.value;
    return parts_.make(OpKind::Transpose, {x.value}, {{"perm", perm}});
  }

private:
  Shape shapeOf(const Labels& labels) const {
    Shape shape;
    for (const size_t label : labels) shape.push_back(equation_.sizes[label]);
    return shape;
  }

  /// [batch, rows, columns], each of the labels listed.
  Value* matrix(const Labelled& x, const Labels& batch, const Labels& rows, const Labels& columns) {
    Labels order = batch;
    order.insert(order.end(), rows.begin(), rows.end());
    order.insert(order.end(), columns.begin(), columns.end());
    return parts_.reshape(
        inOrder(x, order),
        {numElements(shapeOf(batch)), numElements(shapeOf(rows)), numElements(shapeOf(columns))});
  }

  Parts& parts_;
  const EinsumLabels& equation_;
};

} // namespace

/// Operands are multiplied from the left on; diagonals and operands that repeat are left alone.
Results decomposeEinsum(Parts& parts) {
  const Op& op = parts.op();
  std::vector<Shape> shapes;
  for (size_t i = 0; i < op.numOwnOperands(); ++i) shapes.push_back(op.own(i)->shape());
  const auto equation = parseEinsum(op.string("equation"), shapes);
  if (!equation || !isFloat(op.result()->elem()) || op.result()->type().numElements() == 0)
    return {};
  Contraction contraction(parts, *equation);
  std::vector<Labelled> operands;
  for (size_t i = 0; i < shapes.size(); ++i) {
    operands.push_back({op.own(i), equation->operands[i]});
    if (!contraction.isPlain(operands.back()) || op.own(i)->type().numElements() == 0) return {};
  }
  for (Labelled& operand : operands) operand.value = parts.wide(operand.value);
  Labelled all = operands[0];
  for (size_t i = 1; i < operands.size(); ++i) {
    Labels kept = equation->output;
    for (size_t later = i + 1; later < operands.size(); ++later)
      kept.insert(kept.end(), operands[later].labels.begin(), operands[later].labels.end());
    all = contraction.product(all, operands[i], kept);
  }
  all = contraction.summed(all, equation->output);
  return parts.cast(contraction.inOrder(all, equation->output), op.result()->elem());
}

/// Places of a regular grid, homogeneous, times the matrices.
Results decomposeAffineGrid(Parts& parts) {
  const Op& op = parts.op();
  const Shape& y = op.result()->shape();
  if (!isFloat(op.result()->elem()) || op.result()->type().numElements() == 0) return {};
  const bool align = op.integer("align_corners") != 0;
  const auto rank = static_cast<size_t>(y.back());
  const Shape grid(y.begin() + 1, y.end() - 1);
  const int64_t count = numElements(grid), width = y.back() + 1;
  const ElemType elem = op.result()->elem() == ElemType::F64 ? ElemType::F64 : ElemType::F32;
  Tensor places(elem, {count, width});
  for (int64_t i = 0; i < count; ++i) {
    int64_t rest = i;
    for (size_t d = 0; d < rank; ++d) { // x first, which runs fastest
      const int64_t size = grid[rank - 1 - d], at = rest % size;
      rest /= size;
      const auto n = static_cast<double>(size), k = static_cast<double>(at);
      const double place = !align ? (2 * k + 1) / n - 1 : size > 1 ? 2 * k / (n - 1) - 1 : 0;
      places.setDouble(i * width + static_cast<int64_t>(d), place);
    }
    places.setDouble(i * width + y.back(), 1);
  }
  Value* turned = parts.make(OpKind::Transpose, {parts.cast(parts.own(0), elem)},
                             {{"perm", std::vector<int64_t>{0, 2, 1}}});
  Value* product =
      parts.make(OpKind::MatMul, {parts.constant(std::move(places), "places"), turned});
  return parts.cast(parts.reshape(product, y), op.result()->elem());
}

} // namespace enfold
