// Pools over windows and over whole images.
#include "reference/EvalContext.h"
#include "reference/Numbers.h"
#include "reference/WindowLoop.h"
#include "support/ErrorCodes.h"

#include <cmath>
#include <limits>

namespace enfold::reference {
namespace {

Result<Slide> slideOf(const EvalContext& context, const Shape& y) {
  ENFOLD_TRY(Window window, context.window(context.ints("kernel_shape")));
  return Slide{std::move(window), spatialOf(context.shape(0)), spatialOf(y)};
}

/// True when the tap lies in the input or its padding: with ceil_mode a window may reach further.
bool insidePadding(const Slide& s, std::span<const int64_t> o, std::span<const int64_t> tap) {
  for (size_t d = 0; d < s.in.size(); ++d)
    if (o[d] * s.window.strides[d] - s.window.padsBegin[d] + tap[d] * s.window.dilations[d] >=
        s.in[d] + s.window.padsEnd[d])
      return false;
  return true;
}

/// Folds all pixels of each channel: step(accumulator, element), then finish(accumulator, count).
template <typename Step, typename Finish>
Result<> global(EvalContext& context, double initial, Step step, Finish finish) {
  const std::vector<double> x = load<double>(context.operand());
  const auto channels = static_cast<size_t>(context.result().numElements());
  const size_t pixels = channels ? x.size() / channels : 0;
  std::vector<double> y(channels, initial);
  for (size_t i = 0; i < x.size(); ++i) y[i / pixels] = step(y[i / pixels], x[i]);
  for (double& value : y) value = finish(value, static_cast<double>(pixels));
  store(context.result(), y);
  return {};
}

double larger(double a, double b) { return b > a || std::isnan(b) ? b : a; }

} // namespace

Result<> evalAveragePool(EvalContext& context) {
  const Shape& y = context.result().shape();
  ENFOLD_TRY(const Slide slide, slideOf(context, y));
  const bool includePad = context.integer("count_include_pad") != 0;
  const std::vector<double> x = load<double>(context.operand());
  std::vector<double> out;
  const int64_t pixels = numElements(slide.in);
  for (int64_t image = 0; image < y[0] * y[1]; ++image)
    forEachIndex(slide.out, [&](std::span<const int64_t> o) {
      double sum = 0;
      int64_t count = 0;
      forEachIndex(slide.window.kernel, [&](std::span<const int64_t> tap) {
        const int64_t from = slide.inputPixel(o, tap);
        if (from >= 0) sum += x[static_cast<size_t>(image * pixels + from)];
        count += includePad ? insidePadding(slide, o, tap) : from >= 0;
      });
      out.push_back(sum / static_cast<double>(count));
    });
  store(context.result(), out);
  return {};
}

/// Indices count over the whole tensor; storage_order 1 counts columns first within an image.
Result<> evalMaxPool(EvalContext& context) {
  const Shape& y = context.result().shape();
  ENFOLD_TRY(const Slide slide, slideOf(context, y));
  const bool columnMajor = context.integer("storage_order") != 0;
  const int64_t pixels = numElements(slide.in);
  const Tensor& x = context.operand();
  int64_t at = 0;
  for (int64_t image = 0; image < y[0] * y[1]; ++image)
    forEachIndex(slide.out, [&](std::span<const int64_t> o) {
      int64_t best = -1;
      forEachIndex(slide.window.kernel, [&](std::span<const int64_t> tap) {
        const int64_t from = slide.inputPixel(o, tap);
        if (from < 0) return;
        const double value = x.asDouble(image * pixels + from);
        if (best < 0 || value > x.asDouble(image * pixels + best) || std::isnan(value)) best = from;
      });
      if (best < 0)
        context.result().setDouble(at, -std::numeric_limits<double>::infinity());
      else
        context.result().setDouble(at, x.asDouble(image * pixels + best));
      if (context.numResults() > 1) {
        int64_t index = std::max<int64_t>(best, 0);
        if (columnMajor) {
          int64_t rest = index, scale = 1, transposed = 0;
          std::vector<int64_t> coordinates(slide.in.size());
          for (size_t d = slide.in.size(); d-- > 0; rest /= slide.in[d])
            coordinates[d] = rest % slide.in[d];
          for (size_t d = 0; d < slide.in.size(); scale *= slide.in[d++])
            transposed += coordinates[d] * scale;
          index = transposed;
        }
        context.result(1).mutableData<int64_t>()[at] = image * pixels + index;
      }
      ++at;
    });
  return {};
}

Result<> evalLpPool(EvalContext& context) {
  const Shape& y = context.result().shape();
  ENFOLD_TRY(const Slide slide, slideOf(context, y));
  const auto p = static_cast<double>(context.integer("p"));
  const std::vector<double> x = load<double>(context.operand());
  const int64_t pixels = numElements(slide.in);
  std::vector<double> out;
  for (int64_t image = 0; image < y[0] * y[1]; ++image)
    forEachIndex(slide.out, [&](std::span<const int64_t> o) {
      double sum = 0;
      forEachIndex(slide.window.kernel, [&](std::span<const int64_t> tap) {
        if (const int64_t from = slide.inputPixel(o, tap); from >= 0)
          sum += std::pow(std::fabs(x[static_cast<size_t>(image * pixels + from)]), p);
      });
      out.push_back(std::pow(sum, 1 / p));
    });
  store(context.result(), out);
  return {};
}

Result<> evalGlobalAveragePool(EvalContext& context) {
  return global(
      context, 0, [](double sum, double x) { return sum + x; },
      [](double sum, double count) { return sum / count; });
}

Result<> evalGlobalMaxPool(EvalContext& context) {
  return global(context, -std::numeric_limits<double>::infinity(), larger,
                [](double value, double) { return value; });
}

Result<> evalGlobalLpPool(EvalContext& context) {
  const auto p = static_cast<double>(context.integer("p"));
  return global(
      context, 0, [p](double sum, double x) { return sum + std::pow(std::fabs(x), p); },
      [p](double sum, double) { return std::pow(sum, 1 / p); });
}

/// Values go back to where the indices say they came from; with output_shape the indices still
/// count in the shape that the window gives.
Result<> evalMaxUnpool(EvalContext& context) {
  const Tensor &x = context.operand(0), &indices = context.operand(1);
  Tensor& y = context.result();
  const Shape kernel = context.ints("kernel_shape");
  ENFOLD_TRY(const Window w, context.window(kernel));
  Shape counted = {x.shape()[0], x.shape()[1]};
  for (size_t d = 0; d < kernel.size(); ++d)
    counted.push_back((x.shape()[2 + d] - 1) * w.strides[d] - w.padsBegin[d] - w.padsEnd[d] +
                      kernel[d]);
  const Strides strides = rowMajorStrides(y.shape());
  for (int64_t i = 0; i < x.numElements(); ++i) {
    int64_t rest = indices.asInt(i), to = 0;
    if (rest < 0 || rest >= numElements(counted))
      return failure(ErrorCode::BadData, "an index is out of range");
    for (size_t d = counted.size(); d-- > 0; rest /= counted[d]) {
      const int64_t at = rest % counted[d];
      if (at >= y.shape()[d])
        return failure(ErrorCode::BadData, "an index is outside the output shape");
      to += at * strides[d];
    }
    y.setDouble(to, x.asDouble(i));
  }
  return {};
}

} // namespace enfold::reference
