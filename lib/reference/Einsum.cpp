// Einsum: products of operand elements, summed over the labels that the result does not have.
#include "ir/Einsum.h"

#include "reference/EvalContext.h"
#include "reference/Indexing.h"
#include "reference/Numbers.h"

#include <algorithm>

namespace enfold::reference {
namespace {

/// What a step along each label moves in an operand. A label on two axes walks their diagonal.
Strides labelStrides(const EinsumLabels& labels, size_t operand, const Shape& shape) {
  const Strides strides = rowMajorStrides(shape);
  Strides result(labels.sizes.size(), 0);
  for (size_t axis = 0; axis < shape.size(); ++axis)
    if (shape[axis] != 1) result[labels.operands[operand][axis]] += strides[axis];
  return result;
}

template <typename N>
std::vector<N> contract(const EinsumLabels& labels, const std::vector<std::vector<N>>& operands,
                        const std::vector<Strides>& strides) {
  std::vector<size_t> summed;
  Shape summedShape;
  for (size_t label = 0; label < labels.sizes.size(); ++label)
    if (std::ranges::find(labels.output, label) == labels.output.end()) {
      summed.push_back(label);
      summedShape.push_back(labels.sizes[label]);
    }
  const auto offset = [&](size_t k, const std::vector<size_t>& of, std::span<const int64_t> index) {
    int64_t at = 0;
    for (size_t i = 0; i < of.size(); ++i) at += index[i] * strides[k][of[i]];
    return at;
  };
  std::vector<N> result;
  std::vector<int64_t> base(operands.size());
  forEachIndex(labels.outputShape(), [&](std::span<const int64_t> index) {
    for (size_t k = 0; k < operands.size(); ++k) base[k] = offset(k, labels.output, index);
    N sum{};
    forEachIndex(summedShape, [&](std::span<const int64_t> inner) {
      N product = 1;
      for (size_t k = 0; k < operands.size(); ++k)
        product *= operands[k][static_cast<size_t>(base[k] + offset(k, summed, inner))];
      sum += product;
    });
    result.push_back(sum);
  });
  return result;
}

} // namespace

Result<> evalEinsum(EvalContext& context) {
  std::vector<Shape> shapes;
  for (size_t i = 0; i < context.numOperands(); ++i) shapes.push_back(context.shape(i));
  ENFOLD_TRY(const EinsumLabels labels, parseEinsum(context.string("equation"), shapes));
  std::vector<Strides> strides;
  for (size_t i = 0; i < shapes.size(); ++i) strides.push_back(labelStrides(labels, i, shapes[i]));
  return withNumber(
      context.elem(0),
      [&](auto tag) -> Result<> {
        using N = decltype(tag);
        std::vector<std::vector<N>> operands;
        for (size_t i = 0; i < shapes.size(); ++i) operands.push_back(load<N>(context.operand(i)));
        store(context.result(), contract(labels, operands, strides));
        return {};
      },
      [&]() -> Result<> { return context.unsupportedElem(context.elem(0)); });
}

} // namespace enfold::reference
