// A transposed convolution of few output channels as a sub-pixel convolution. The s results between
// two pixels of the input all come from the same k / s pixels: they become the channels of an
// ordinary convolution, whose vectors they fill, and are then moved apart. The result would
// otherwise leave most of a vector of channels empty.
#include "ir/Products.h"
#include "passes/decompose/Parts.h"

#include <algorithm>
#include <ranges>

namespace enfold {
namespace {

/// Channels of a vector, whatever the target.
constexpr int64_t kLanes = 8;
/// Times as many products, of lanes that are empty or not, that pay for moving the result.
constexpr double kWorthMoving = 1.5;

/// Along one axis.
struct Axis {
  int64_t in, out, taps, stride;
  int64_t reach = 0;                ///< pixels of the input that a result sees
  int64_t count = 0;                ///< pixels of the sub-pixel convolution's result
  int64_t begin = 0;                ///< the first result among its sub-pixels
  int64_t padBegin = 0, padEnd = 0; ///< of that convolution
};

std::vector<Axis> axesOf(const Op& op) {
  const size_t rank = op.result()->type().rank() - 2;
  const auto strides = op.ints("strides"), pads = op.ints("pads");
  std::vector<Axis> axes;
  for (size_t d = 0; d < rank; ++d) {
    Axis a{.in = op.own(0)->shape()[d + 2],
           .out = op.result()->shape()[d + 2],
           .taps = op.own(1)->shape()[d + 2],
           .stride = strides.empty() ? 1 : strides[d]};
    const int64_t pad = pads.empty() ? 0 : pads[d];
    a.reach = a.taps / a.stride;
    a.begin = pad % a.stride;
    a.count = (a.begin + a.out + a.stride - 1) / a.stride;
    a.padBegin = a.reach - 1 - pad / a.stride;
    a.padEnd = a.count + a.reach - 1 - a.in - a.padBegin;
    axes.push_back(a);
  }
  return axes;
}

int64_t wholeVectors(int64_t channels) { return (channels + kLanes - 1) / kLanes * kLanes; }

bool isFaster(const std::vector<Axis>& axes, int64_t channels) {
  int64_t taps = 1, reach = 1, phases = 1;
  for (const Axis& a : axes) {
    if (a.taps % a.stride != 0 || a.padBegin < 0 || a.padEnd < 0) return false;
    taps *= a.taps;
    reach *= a.reach;
    phases *= a.stride;
  }
  return static_cast<double>(taps * wholeVectors(channels)) >=
         kWorthMoving * static_cast<double>(reach * wholeVectors(channels * phases));
}

/// [input channel][output channel][taps] as [output channel, phase][input channel][reach]: tap
/// stride * (reach - 1 - t) + r of each axis is tap t of phase r.
Tensor subPixelWeights(const Tensor& weights, const std::vector<Axis>& axes) {
  const int64_t cin = weights.shape()[0], cout = weights.shape()[1];
  int64_t phases = 1, reach = 1;
  for (const Axis& a : axes) phases *= a.stride, reach *= a.reach;
  Shape shape = {cout * phases, cin};
  for (const Axis& a : axes) shape.push_back(a.reach);
  Tensor result(ElemType::F32, shape);
  const float* from = weights.data<float>();
  float* to = result.mutableData<float>();
  for (int64_t k = 0; k < cout; ++k)
    for (int64_t phase = 0; phase < phases; ++phase)
      for (int64_t c = 0; c < cin; ++c)
        for (int64_t t = 0; t < reach; ++t, ++to) {
          int64_t tap = 0, size = 1, r = phase, i = t;
          for (const Axis& a : std::views::reverse(axes)) {
            tap += size * (a.stride * (a.reach - 1 - i % a.reach) + r % a.stride);
            size *= a.taps;
            r /= a.stride;
            i /= a.reach;
          }
          *to = from[(c * cout + k) * size + tap];
        }
  return result;
}

Tensor repeated(const Tensor& bias, int64_t phases) {
  Tensor result(ElemType::F32, {bias.numElements() * phases});
  for (int64_t i = 0; i < result.numElements(); ++i)
    result.mutableData<float>()[i] = bias.data<float>()[i / phases];
  return result;
}

/// [n][channel, phases][pixels] with the phases between the pixels, without what is cut off.
Value* movedApart(Parts& parts, Value* x, const std::vector<Axis>& axes) {
  const Shape& y = parts.op().result()->shape();
  const auto rank = std::ssize(axes);
  Shape split = {y[0], y[1]}, whole = split;
  std::vector<int64_t> perm = {0, 1}, cut, starts, ends;
  for (const Axis& a : axes) split.push_back(a.stride);
  for (int64_t d = 0; d < rank; ++d) {
    const Axis& a = axes[static_cast<size_t>(d)];
    split.push_back(a.count);
    perm.insert(perm.end(), {2 + rank + d, 2 + d});
    whole.push_back(a.count * a.stride);
    if (a.begin == 0 && whole.back() == a.out) continue;
    cut.push_back(2 + d);
    starts.push_back(a.begin);
    ends.push_back(a.begin + a.out);
  }
  x = parts.make(OpKind::Transpose, {parts.reshape(x, split)}, {{"perm", perm}});
  x = parts.reshape(x, whole);
  if (cut.empty()) return x;
  return parts.make(OpKind::Slice, {x, parts.ints(starts, "starts"), parts.ints(ends, "ends"),
                                    parts.ints(cut, "axes")});
}

} // namespace

Results decomposeConvTranspose(Parts& parts) {
  const Op& op = parts.op();
  const Value *w = op.own(1), *b = op.own(2);
  if (op.result()->elem() != ElemType::F32 || op.integer("group") != 1 || !w->constant() ||
      (b && !b->constant()) || op.result()->type().numElements() == 0 || sumsHalvesInF32(op))
    return {};
  const auto dilations = op.ints("dilations");
  if (std::ranges::any_of(dilations, [](int64_t d) { return d != 1; })) return {};
  const std::vector<Axis> axes = axesOf(op);
  if (!isFaster(axes, w->shape()[1])) return {};
  int64_t phases = 1;
  std::vector<int64_t> pads;
  for (const Axis& a : axes) phases *= a.stride, pads.push_back(a.padBegin);
  for (const Axis& a : axes) pads.push_back(a.padEnd);
  std::vector<Value*> operands = {op.own(0),
                                  parts.constant(subPixelWeights(*w->constant(), axes), "weights")};
  if (b) operands.push_back(parts.constant(repeated(*b->constant(), phases), "bias"));
  AttrMap attrs{{"pads", pads}};
  if (op.hasAttr("algorithm")) attrs["algorithm"] = op.string("algorithm");
  return movedApart(parts, parts.make(OpKind::Conv, std::move(operands), std::move(attrs)), axes);
}

} // namespace enfold
