// Spatial transformers (Jaderberg et al. 2015): AffineGrid writes the grid of places to read,
// GridSample reads an image of any number of spatial dimensions at them. Places are in [-1, 1],
// the last spatial axis first.
#include "reference/EvalContext.h"
#include "reference/Indexing.h"
#include "reference/Numbers.h"

#include <algorithm>
#include <cmath>

namespace enfold::reference {
namespace {

enum class Padding { Zeros, Border, Reflection };
enum class Mode { Nearest, Linear, Cubic };

/// Mirrors x at low and high until it lies between them.
double reflected(double x, double low, double high) {
  const double range = high - low;
  if (range <= 0) return low;
  const double away = x < low ? low - x : x > high ? x - high : 0;
  if (away == 0) return x;
  const double rest = std::fmod(away, 2 * range);
  const double inside = rest < range ? rest : 2 * range - rest;
  return x < low ? low + inside : high - inside;
}

/// How one axis is read.
struct Axis {
  int64_t size;
  double low, high; ///< the image's edges
  Padding padding;

  /// The place of a grid value. Reflection moves it inside, which changes nothing but its size;
  /// the border is repeated pixel by pixel, which a cubic kernel near it sees.
  double placeOf(double grid, Mode mode, bool alignCorners) const {
    const auto n = static_cast<double>(size);
    double x = alignCorners ? (grid + 1) / 2 * (n - 1) : ((grid + 1) * n - 1) / 2;
    if (mode == Mode::Nearest) x = std::nearbyint(x);
    if (x >= low && x <= high) return x;
    // Far outside, or no number at all: any place there reads the same.
    if (!(std::fabs(x) < 1e15)) x = x > 0 ? n + 8 : -8;
    return padding == Padding::Reflection ? reflected(x, low, high) : x;
  }

  /// The pixel at a whole number, or -1 for one of the zeros outside.
  int64_t pixelAt(double x) const {
    if (padding == Padding::Border) x = std::clamp(x, 0.0, static_cast<double>(size - 1));
    if (padding == Padding::Reflection) x = reflected(x, low, high);
    return x >= 0 && x < static_cast<double>(size) ? static_cast<int64_t>(x) : -1;
  }
};

struct Tap {
  int64_t pixel; ///< -1: outside
  double weight;
};

/// Keys' cubic convolution kernel (IEEE Trans. ASSP 29(6), 1981) with a = -0.75.
double cubicWeight(double x) {
  constexpr double a = -0.75;
  x = std::fabs(x);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

std::vector<Tap> tapsOf(const Axis& axis, Mode mode, double x) {
  if (mode == Mode::Nearest) return {{axis.pixelAt(x), 1}};
  const double first = std::floor(x), fraction = x - first;
  if (mode == Mode::Linear)
    return {{axis.pixelAt(first), 1 - fraction}, {axis.pixelAt(first + 1), fraction}};
  std::vector<Tap> taps;
  for (int i = -1; i <= 2; ++i)
    taps.push_back({axis.pixelAt(first + i), cubicWeight(fraction - i)});
  return taps;
}

/// The pixels of a whole image that one place reads: all combinations of its axes' taps.
std::vector<Tap> combined(const std::vector<std::vector<Tap>>& axes, const Shape& sizes) {
  std::vector<Tap> taps = {{0, 1}};
  for (size_t d = 0; d < axes.size(); ++d) {
    std::vector<Tap> next;
    for (const Tap& outer : taps)
      for (const Tap& tap : axes[d])
        if (tap.pixel >= 0)
          next.push_back({outer.pixel * sizes[d] + tap.pixel, outer.weight * tap.weight});
    taps = std::move(next);
  }
  return taps;
}

Mode modeOf(const std::string& name) {
  return name == "nearest" ? Mode::Nearest : name == "linear" ? Mode::Linear : Mode::Cubic;
}

Padding paddingOf(const std::string& name) {
  if (name == "zeros") return Padding::Zeros;
  return name == "border" ? Padding::Border : Padding::Reflection;
}

} // namespace

/// x [N, C, sizes…], grid [N, places…, axes], y [N, C, places…].
Result<> evalGridSample(EvalContext& context) {
  const Shape &x = context.shape(0), &y = context.result().shape();
  const Mode mode = modeOf(context.string("mode"));
  const Padding padding = paddingOf(context.string("padding_mode"));
  const bool align = context.integer("align_corners") != 0;
  const Shape sizes(x.begin() + 2, x.end());
  std::vector<Axis> axes;
  for (int64_t size : sizes)
    axes.push_back(
        {size, align ? 0 : -0.5, static_cast<double>(size) - (align ? 1 : 0.5), padding});
  const int64_t places = numElements(Shape(y.begin() + 2, y.end())), pixels = numElements(sizes);
  const auto rank = static_cast<int64_t>(sizes.size());
  const std::vector<double> input = load<double>(context.operand(0));
  std::vector<double> values(static_cast<size_t>(context.result().numElements()), 0.0);
  std::vector<std::vector<Tap>> taps(axes.size());
  for (int64_t n = 0; pixels > 0 && n < y[0]; ++n)
    for (int64_t p = 0; p < places; ++p) {
      for (size_t d = 0; d < axes.size(); ++d) {
        const double grid =
            context.operand(1).asDouble((n * places + p + 1) * rank - 1 - int64_t(d));
        taps[d] = tapsOf(axes[d], mode, axes[d].placeOf(grid, mode, align));
      }
      const std::vector<Tap> all = combined(taps, sizes);
      for (int64_t c = 0; c < y[1]; ++c) {
        double& sum = values[static_cast<size_t>((n * y[1] + c) * places + p)];
        for (const Tap& tap : all)
          sum += tap.weight * input[static_cast<size_t>((n * y[1] + c) * pixels + tap.pixel)];
      }
    }
  store(context.result(), values);
  return {};
}

/// grid[n, place, :] = theta[n] * (x, y, …, 1), with places at the pixels' centers, or from corner
/// to corner.
Result<> evalAffineGrid(EvalContext& context) {
  const Shape& y = context.result().shape();
  const std::vector<double> theta = load<double>(context.operand(0));
  const bool align = context.integer("align_corners") != 0;
  const auto rank = static_cast<size_t>(y.back());
  const Shape places(y.begin(), y.end() - 1);
  std::vector<double> values;
  forEachIndex(places, [&](std::span<const int64_t> index) {
    const double* matrix = theta.data() + static_cast<size_t>(index[0]) * rank * (rank + 1);
    for (size_t row = 0; row < rank; ++row) {
      double sum = matrix[row * (rank + 1) + rank];
      for (size_t d = 0; d < rank; ++d) {
        const auto at = static_cast<double>(index[rank - d]);
        const auto size = static_cast<double>(places[rank - d]);
        const double place = !align     ? (2 * at + 1) / size - 1
                             : size > 1 ? 2 * at / (size - 1) - 1
                                        : 0;
        sum += matrix[row * (rank + 1) + d] * place;
      }
      values.push_back(sum);
    }
  });
  store(context.result(), values);
  return {};
}

} // namespace enfold::reference
