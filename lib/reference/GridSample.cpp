// Spatial transformers (Jaderberg et al. 2015): AffineGrid writes the grid of places to read,
// GridSample reads an image of any number of spatial dimensions at them. Places are in [-1, 1],
// the last spatial axis first.
//
// Where a pixel lies between two others, or between two numbers that a program rounds to, the last
// bit of a place decides. So GridSample computes in f32 unless the image is f64, in the order in
// which ONNX Runtime does.
#include "reference/EvalContext.h"
#include "reference/Indexing.h"
#include "reference/Numbers.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

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

/// How one axis is read; places are computed in N.
template <typename N> struct Axis {
  int64_t size;
  double low, high; ///< the image's edges
  Padding padding;

  N placeOf(N grid, Mode mode, bool alignCorners) const {
    const N n = static_cast<N>(size);
    N x = alignCorners ? (grid + 1) / 2 * (n - 1) : ((grid + 1) * n - 1) / 2;
    if (mode == Mode::Nearest) x = std::nearbyint(x);
    // Far outside, or no number at all: any place there reads the same.
    if (!(std::fabs(x) < N(1e15))) x = x > 0 ? n + 8 : -8;
    return x;
  }

  /// The pixel at a whole number, or -1 for one of the zeros outside.
  int64_t pixelAt(double x) const {
    if (padding == Padding::Border) x = std::clamp(x, 0.0, static_cast<double>(size - 1));
    if (padding == Padding::Reflection) x = reflected(x, low, high);
    return x >= 0 && x < static_cast<double>(size) ? static_cast<int64_t>(x) : -1;
  }
};

/// Keys' cubic convolution kernel (IEEE Trans. ASSP 29(6), 1981) with a = -0.75.
template <typename N> N cubicWeight(N x) {
  constexpr N a = N(-0.75);
  x = std::fabs(x);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

/// The pixels of one axis that a place reads; those outside are left out.
template <typename N> class Taps {
public:
  Taps(const Axis<N>& axis, Mode mode, N x) {
    const N first = std::floor(x);
    switch (mode) {
    case Mode::Nearest:
      add(axis, x, 1);
      break;
    case Mode::Linear:
      add(axis, first, (first + 1) - x);
      add(axis, first + 1, x - first);
      break;
    case Mode::Cubic: {
      const N between = (x - (first - 1)) - 1; // rounded twice
      for (int i = -1; i <= 2; ++i)
        add(axis, first + static_cast<N>(i), cubicWeight(between - static_cast<N>(i)));
    }
    }
  }

  size_t size() const { return size_; }
  int64_t pixel(size_t i) const { return pixels_[i]; }
  N weight(size_t i) const { return weights_[i]; }

private:
  void add(const Axis<N>& axis, N x, N weight) {
    pixels_[size_] = axis.pixelAt(static_cast<double>(x));
    weights_[size_] = weight;
    if (pixels_[size_] >= 0) ++size_;
  }

  std::array<int64_t, 4> pixels_;
  std::array<N, 4> weights_;
  size_t size_ = 0;
};

/// The sum over all axes' taps from `d` on, the last axis innermost; `pixel` counts those before.
template <typename N>
N sumOf(std::span<const Taps<N>> taps, const Shape& sizes, const N* image, size_t d = 0,
        int64_t pixel = 0) {
  if (d == taps.size()) return image[pixel];
  N sum = 0;
  for (size_t i = 0; i < taps[d].size(); ++i)
    sum +=
        taps[d].weight(i) * sumOf(taps, sizes, image, d + 1, pixel * sizes[d] + taps[d].pixel(i));
  return sum;
}

/// Adds the same with the weights of all axes multiplied first.
template <typename N>
void addProducts(N& sum, std::span<const Taps<N>> taps, const Shape& sizes, const N* image,
                 N weight = 1, size_t d = 0, int64_t pixel = 0) {
  if (d == taps.size()) {
    sum += weight * image[pixel];
    return;
  }
  for (size_t i = 0; i < taps[d].size(); ++i)
    addProducts(sum, taps, sizes, image, weight * taps[d].weight(i), d + 1,
                pixel * sizes[d] + taps[d].pixel(i));
}

Mode modeOf(const std::string& name) {
  return name == "nearest" ? Mode::Nearest : name == "linear" ? Mode::Linear : Mode::Cubic;
}

Padding paddingOf(const std::string& name) {
  if (name == "zeros") return Padding::Zeros;
  return name == "border" ? Padding::Border : Padding::Reflection;
}

/// x [N, C, sizes…], grid [N, places…, axes], y [N, C, places…], in numbers of type N.
template <typename N> void sample(EvalContext& context) {
  const Shape &x = context.shape(0), &y = context.result().shape();
  const Mode mode = modeOf(context.string("mode"));
  const Padding padding = paddingOf(context.string("padding_mode"));
  const bool align = context.integer("align_corners") != 0;
  const Shape sizes(x.begin() + 2, x.end());
  std::vector<Axis<N>> axes;
  for (int64_t size : sizes)
    axes.push_back(
        {size, align ? 0 : -0.5, static_cast<double>(size) - (align ? 1 : 0.5), padding});
  const int64_t places = numElements(Shape(y.begin() + 2, y.end())), pixels = numElements(sizes);
  const auto rank = static_cast<int64_t>(sizes.size());
  const bool multiplies = mode == Mode::Linear && padding == Padding::Zeros && !align && rank == 2;
  const std::vector<double> loaded = load<double>(context.operand(0));
  const std::vector<N> input(loaded.begin(), loaded.end());
  std::vector<double> values(static_cast<size_t>(context.result().numElements()), 0.0);
  std::vector<Taps<N>> taps;
  for (int64_t n = 0; pixels > 0 && n < y[0]; ++n)
    for (int64_t p = 0; p < places; ++p) {
      taps.clear();
      for (int64_t d = 0; d < rank; ++d) {
        const N grid =
            static_cast<N>(context.operand(1).asDouble((n * places + p + 1) * rank - 1 - d));
        const Axis<N>& axis = axes[static_cast<size_t>(d)];
        taps.emplace_back(axis, mode, axis.placeOf(grid, mode, align));
      }
      for (int64_t plane = n * y[1]; plane < (n + 1) * y[1]; ++plane) {
        const N* image = input.data() + plane * pixels;
        N value = 0;
        if (multiplies)
          addProducts<N>(value, taps, sizes, image);
        else
          value = sumOf<N>(taps, sizes, image);
        values[static_cast<size_t>(plane * places + p)] = static_cast<double>(value);
      }
    }
  store(context.result(), values);
}

} // namespace

Result<> evalGridSample(EvalContext& context) {
  const bool isFloats = isFloat(context.elem(0)) && context.elem(0) != ElemType::F64;
  isFloats ? sample<float>(context) : sample<double>(context);
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
