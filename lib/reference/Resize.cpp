// Resize, one axis after another.
#include "ir/ResizeTaps.h"
#include "reference/EvalContext.h"
#include "reference/Indexing.h"
#include "reference/Numbers.h"

namespace enfold::reference {
namespace {

/// Resizes `values` of `shape` along one axis.
std::vector<double> resizeAxis(const std::vector<double>& values, const Shape& shape, size_t axis,
                               const std::vector<std::vector<ResizeTap>>& taps) {
  int64_t outer = 1, inner = 1;
  for (size_t i = 0; i < axis; ++i) outer *= shape[i];
  for (size_t i = axis + 1; i < shape.size(); ++i) inner *= shape[i];
  const auto out = static_cast<int64_t>(taps.size());
  std::vector<double> result(static_cast<size_t>(outer * out * inner), 0);
  for (int64_t n = 0; n < outer; ++n)
    for (int64_t o = 0; o < out; ++o)
      for (const ResizeTap& tap : taps[static_cast<size_t>(o)])
        for (int64_t i = 0; i < inner; ++i)
          result[static_cast<size_t>((n * out + o) * inner + i)] +=
              tap.weight * values[static_cast<size_t>((n * shape[axis] + tap.at) * inner + i)];
  return result;
}

} // namespace

Result<> evalResize(EvalContext& context) {
  const Shape &x = context.shape(0), &y = context.result().shape();
  ResizeSpec spec = resizeSpecOf(context);
  if (context.has(1)) spec.roi = &context.operand(1);
  if (context.has(2)) spec.scales = &context.operand(2);
  if (context.has(3)) spec.sizes = &context.operand(3);
  ENFOLD_TRY(const std::vector<ResizeAxis> axes, resizeAxes(spec, x, y));
  std::vector<double> values = load<double>(context.operand());
  Shape shape = x;
  for (const ResizeAxis& axis : axes) {
    values = resizeAxis(values, shape, axis.axis, axis.taps);
    shape[axis.axis] = axis.out;
  }
  for (const ResizeAxis& axis : axes) {
    if (axis.outside.empty()) continue;
    size_t next = 0;
    forEachIndex(y, [&](std::span<const int64_t> index) {
      if (axis.outside[static_cast<size_t>(index[axis.axis])])
        values[next] = context.real("extrapolation_value");
      ++next;
    });
  }
  store(context.result(), values);
  return {};
}

} // namespace enfold::reference
