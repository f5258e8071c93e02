// Convolutions of any rank, group, stride, dilation and padding. Each output channel of each image
// is accumulated on its own in double, tap by tap over all its pixels; integers in 64 bits.
#include "reference/EvalContext.h"
#include "reference/Numbers.h"
#include "reference/Parallel.h"
#include "reference/Quantization.h"
#include "reference/WindowLoop.h"

namespace enfold::reference {
namespace {

struct Sizes {
  int64_t batch, groups, cin, cout, inPixels, outPixels, taps; ///< channels of one group
};

/// y[n,k] += sum over c, taps of x[n,c,pixel] * w[k,c,tap], in N, starting from `bias`.
template <typename N>
std::vector<N> convolve(const std::vector<N>& x, const std::vector<N>& w,
                        const std::vector<N>& bias, const Sizes& s, const Slide& slide) {
  const auto pixels = inputPixels(slide);
  std::vector<N> y(static_cast<size_t>(s.batch * s.groups * s.cout * s.outPixels), N{});
  parallelFor(s.batch * s.groups * s.cout, s.cin * s.taps * s.outPixels,
              [&](int64_t begin, int64_t end) {
                for (int64_t nk = begin; nk < end; ++nk) {
                  const int64_t n = nk / (s.groups * s.cout), k = nk % (s.groups * s.cout);
                  N* out = y.data() + nk * s.outPixels;
                  if (!bias.empty())
                    std::fill(out, out + s.outPixels, bias[static_cast<size_t>(k)]);
                  const int64_t firstChannel = (n * s.groups + k / s.cout) * s.cin;
                  for (int64_t c = 0; c < s.cin; ++c) {
                    const N* in = x.data() + (firstChannel + c) * s.inPixels;
                    for (int64_t t = 0; t < s.taps; ++t) {
                      const N weight = w[static_cast<size_t>((k * s.cin + c) * s.taps + t)];
                      const int64_t* from = pixels[static_cast<size_t>(t)].data();
                      for (int64_t o = 0; o < s.outPixels; ++o)
                        if (from[o] >= 0) out[o] += in[from[o]] * weight;
                    }
                  }
                }
              });
  return y;
}

Sizes sizesOf(const Shape& x, const Shape& w, const Shape& y, int64_t groups) {
  return {x[0],
          groups,
          x[1] / groups,
          y[1] / groups,
          numElements(spatialOf(x)),
          numElements(spatialOf(y)),
          numElements(spatialOf(w))};
}

} // namespace

Result<> evalConv(EvalContext& context) {
  const Shape &x = context.shape(0), &w = context.shape(1), &y = context.result().shape();
  ENFOLD_TRY(const Window window, context.window(spatialOf(w)));
  const Slide slide{window, spatialOf(x), spatialOf(y)};
  const std::vector<double> bias =
      context.has(2) ? load<double>(context.operand(2)) : std::vector<double>();
  store(context.result(),
        convolve(load<double>(context.operand(0)), load<double>(context.operand(1)), bias,
                 sizesOf(x, w, y, context.integer("group")), slide));
  return {};
}

Result<> evalConvInteger(EvalContext& context) {
  const Shape &x = context.shape(0), &w = context.shape(1), &y = context.result().shape();
  ENFOLD_TRY(const Window window, context.window(spatialOf(w)));
  std::vector<int64_t> input = context.operand(0).toInts(), weights = context.operand(1).toInts();
  if (context.has(2)) ENFOLD_RETURN_IF_ERROR(subtractZeroPoint(input, context.operand(2), 1));
  if (context.has(3)) ENFOLD_RETURN_IF_ERROR(subtractZeroPoint(weights, context.operand(3), w[0]));
  const std::vector<int64_t> sums =
      convolve(input, weights, {}, sizesOf(x, w, y, context.integer("group")),
               {window, spatialOf(x), spatialOf(y)});
  int32_t* out = context.result().mutableData<int32_t>();
  for (size_t i = 0; i < sums.size(); ++i) out[i] = static_cast<int32_t>(sums[i]);
  return {};
}

/// Operands: x, its scale and zero point, w, its scales and zero points, the result's, the bias.
Result<> evalQLinearConv(EvalContext& context) {
  const Shape &x = context.shape(0), &w = context.shape(3), &y = context.result().shape();
  ENFOLD_TRY(const Window window, context.window(spatialOf(w)));
  const auto channels = static_cast<size_t>(w[0]);
  ENFOLD_TRY(const Requantization requantization, Requantization::of(context, channels));
  std::vector<int64_t> input = context.operand(0).toInts(), weights = context.operand(3).toInts();
  ENFOLD_RETURN_IF_ERROR(subtractZeroPoint(input, context.operand(2), 1));
  ENFOLD_RETURN_IF_ERROR(subtractZeroPoint(weights, context.operand(5), w[0]));
  const std::vector<int64_t> bias =
      context.has(8) ? context.operand(8).toInts() : std::vector<int64_t>();
  const Sizes sizes = sizesOf(x, w, y, context.integer("group"));
  const std::vector<int64_t> sums =
      convolve(input, weights, bias, sizes, {window, spatialOf(x), spatialOf(y)});
  const auto pixels = static_cast<size_t>(sizes.outPixels);
  for (size_t i = 0; i < sums.size(); ++i)
    requantization.store(context.result(), static_cast<int64_t>(i), sums[i], i / pixels % channels);
  return {};
}

/// Every input pixel adds its window of the weights [Cin, Cout/group, kernel…] to the result.
Result<> evalConvTranspose(EvalContext& context) {
  const Shape &x = context.shape(0), &w = context.shape(1), &y = context.result().shape();
  ENFOLD_TRY(const Window window, context.window(spatialOf(w)));
  // Seen from the result, the input slides over it: the roles of the two are exchanged.
  const auto pixels = inputPixels({window, spatialOf(y), spatialOf(x)});
  const Sizes s = sizesOf(x, w, y, context.integer("group"));
  const std::vector<double> input = load<double>(context.operand(0));
  const std::vector<double> weights = load<double>(context.operand(1));
  std::vector<double> sums(static_cast<size_t>(context.result().numElements()), 0.0);
  parallelFor(
      s.batch * s.groups * s.cout, s.cin * s.taps * s.inPixels, [&](int64_t begin, int64_t end) {
        for (int64_t nk = begin; nk < end; ++nk) {
          const int64_t n = nk / (s.groups * s.cout), k = nk % (s.groups * s.cout);
          double* out = sums.data() + nk * s.outPixels;
          if (context.has(2)) std::fill(out, out + s.outPixels, context.operand(2).asDouble(k));
          for (int64_t c = 0; c < s.cin; ++c) {
            const int64_t channel = k / s.cout * s.cin + c;
            const double* in = input.data() + (n * s.groups * s.cin + channel) * s.inPixels;
            for (int64_t t = 0; t < s.taps; ++t) {
              const double weight =
                  weights[static_cast<size_t>((channel * s.cout + k % s.cout) * s.taps + t)];
              const int64_t* to = pixels[static_cast<size_t>(t)].data();
              for (int64_t i = 0; i < s.inPixels; ++i)
                if (to[i] >= 0) out[to[i]] += in[i] * weight;
            }
          }
        }
      });
  store(context.result(), sums);
  return {};
}

} // namespace enfold::reference
