// ScatterElements and ScatterND: the data with updates written, or folded, into some elements. Both
// come down to a target element for every update element; updates are applied in their order.
#include "reference/EvalContext.h"
#include "reference/Indexing.h"
#include "reference/Numbers.h"
#include "reference/Pointwise.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace enfold::reference {
namespace {

/// A scattered index counted from the front, or an error.
Result<int64_t> checkedIndex(int64_t at, int64_t size) {
  if (at < -size || at >= size)
    return failure(ErrorCode::BadData,
                   fmt::format("index {} is out of range for size {}", at, size));
  return at < 0 ? at + size : at;
}

/// The result of folding `update` into `old` by a reduction of ONNX.
template <Numeric N> N folded(const std::string& reduction, N old, N update) {
  if (reduction == "add") return static_cast<N>(wrapping(old) + wrapping(update));
  if (reduction == "mul") return static_cast<N>(wrapping(old) * wrapping(update));
  return reduction == "max" ? std::max(old, update) : std::min(old, update);
}

void overwrite(EvalContext& context, const std::vector<int64_t>& targets) {
  const Tensor& updates = context.operand(2);
  const size_t size = byteSize(updates.elem());
  std::byte* out = context.result().mutableBytes();
  for (size_t i = 0; i < targets.size(); ++i)
    std::memcpy(out + static_cast<size_t>(targets[i]) * size, updates.bytes() + i * size, size);
}

/// Writes update i to element targets[i] of the data.
Result<> scatter(EvalContext& context, const std::vector<int64_t>& targets) {
  const std::string reduction = context.string("reduction");
  const Tensor &data = context.operand(0), &updates = context.operand(2);
  if (updates.elem() != data.elem())
    return failure(ErrorCode::TypeMismatch, "data and updates differ in element type");
  if (reduction == "none") {
    context.result() = data;
    overwrite(context, targets);
    return {};
  }
  const auto refuse = [&]() -> Result<> { return context.unsupportedElem(data.elem()); };
  return withExactNumber(
      data.elem(),
      [&](auto tag) -> Result<> {
        using N = decltype(tag);
        if constexpr (Numeric<N>) {
          std::vector<N> values = load<N>(data);
          const std::vector<N> changes = load<N>(updates);
          for (size_t i = 0; i < targets.size(); ++i) {
            N& value = values[static_cast<size_t>(targets[i])];
            value = folded(reduction, value, changes[i]);
          }
          store(context.result(), values);
          return {};
        } else {
          return refuse();
        }
      },
      refuse);
}

} // namespace

Result<> evalScatterElements(EvalContext& context) {
  const Shape &x = context.shape(0), &indices = context.shape(1);
  ENFOLD_TRY(const int64_t at, normalizeAxis(context.integer("axis"), context.operand().rank()));
  const auto axis = static_cast<size_t>(at);
  if (indices.size() != x.size() || context.shape(2) != indices)
    return failure(ErrorCode::ShapeMismatch, "indices, updates and data differ in rank or size");
  for (size_t d = 0; d < x.size(); ++d)
    if (d != axis && indices[d] > x[d])
      return failure(ErrorCode::BadData, "indices reach outside the data");
  const std::vector<int64_t> values = context.operand(1).toInts();
  for (int64_t value : values) ENFOLD_RETURN_IF_ERROR(checkedIndex(value, x[axis]));
  const Strides strides = rowMajorStrides(x);
  std::vector<int64_t> targets;
  targets.reserve(values.size());
  forEachIndex(indices, [&](std::span<const int64_t> index) {
    int64_t to = frontAxis(values[targets.size()], x[axis]) * strides[axis];
    for (size_t d = 0; d < x.size(); ++d)
      if (d != axis) to += index[d] * strides[d];
    targets.push_back(to);
  });
  return scatter(context, targets);
}

/// The last axis of the indices addresses slices of the data.
Result<> evalScatterND(EvalContext& context) {
  const Shape &x = context.shape(0), &indices = context.shape(1);
  if (indices.empty() || indices.back() < 0 || indices.back() > static_cast<int64_t>(x.size()))
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("indices {} do not fit data {}", str(indices), str(x)));
  const auto depth = static_cast<size_t>(indices.back());
  const Shape slice(x.begin() + static_cast<ptrdiff_t>(depth), x.end());
  Shape wanted(indices.begin(), indices.end() - 1);
  const int64_t rows = numElements(wanted), each = numElements(slice);
  wanted.insert(wanted.end(), slice.begin(), slice.end());
  if (context.shape(2) != wanted)
    return failure(ErrorCode::ShapeMismatch, fmt::format("updates {} where {} are needed",
                                                         str(context.shape(2)), str(wanted)));
  const std::vector<int64_t> values = context.operand(1).toInts();
  const Strides strides = rowMajorStrides(x);
  std::vector<int64_t> targets;
  targets.reserve(static_cast<size_t>(rows * each));
  for (int64_t row = 0; row < rows; ++row) {
    int64_t to = 0;
    for (size_t d = 0; d < depth; ++d) {
      ENFOLD_TRY(const int64_t at,
                 checkedIndex(values[static_cast<size_t>(row) * depth + d], x[d]));
      to += at * strides[d];
    }
    for (int64_t i = 0; i < each; ++i) targets.push_back(to + i);
  }
  return scatter(context, targets);
}

} // namespace enfold::reference
