// Ops that report shapes or make tensors from them.
#include "reference/EvalContext.h"
#include "reference/Numbers.h"

#include <algorithm>

namespace enfold::reference {

Result<> evalShape(EvalContext& context) {
  const Shape& x = context.shape(0);
  const auto rank = static_cast<int64_t>(x.size());
  const int64_t start = context.integer("start");
  const int64_t first = std::clamp<int64_t>(start < 0 ? start + rank : start, 0, rank);
  int64_t* out = context.result().mutableData<int64_t>();
  for (int64_t i = 0; i < context.result().numElements(); ++i)
    out[i] = x[static_cast<size_t>(first + i)];
  return {};
}

Result<> evalSize(EvalContext& context) {
  *context.result().mutableData<int64_t>() = context.operand().numElements();
  return {};
}

Result<> evalConstantOfShape(EvalContext& context) {
  if (!context.hasAttr("value")) return {};
  const Tensor& value = context.tensor("value");
  Tensor& y = context.result();
  const size_t size = byteSize(value.elem());
  std::byte* out = y.mutableBytes();
  for (int64_t i = 0; i < y.numElements(); ++i)
    std::copy_n(value.bytes(), size, out + static_cast<size_t>(i) * size);
  return {};
}

Result<> evalRange(EvalContext& context) {
  Tensor& y = context.result();
  if (isInteger(y.elem())) {
    const int64_t start = context.operand(0).asInt(0), delta = context.operand(2).asInt(0);
    dispatchElem(
        y.elem(),
        [&](auto tag) {
          using T = decltype(tag);
          if constexpr (std::is_integral_v<T>)
            for (int64_t i = 0; i < y.numElements(); ++i)
              y.mutableData<T>()[i] = static_cast<T>(start + i * delta);
        },
        [] {});
    return {};
  }
  const double start = context.operand(0).asDouble(0), delta = context.operand(2).asDouble(0);
  for (int64_t i = 0; i < y.numElements(); ++i)
    y.setDouble(i, start + static_cast<double>(i) * delta);
  return {};
}

Result<> evalEyeLike(EvalContext& context) {
  Tensor& y = context.result();
  const int64_t rows = y.shape()[0], columns = y.shape()[1], k = context.integer("k");
  for (int64_t row = 0; row < rows; ++row)
    if (row + k >= 0 && row + k < columns) y.setDouble(row * columns + row + k, 1);
  return {};
}

} // namespace enfold::reference
