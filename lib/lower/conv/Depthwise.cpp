// Depthwise convolution: one filter a channel, so a block of channels is one vector and every tap
// of a pixel one fused multiply-add. Bound by loads; the weights of a row of taps stay in
// registers.
#include "lower/conv/Depthwise.h"

#include "lower/Epilogue.h"
#include "lower/conv/ConvProblem.h"
#include "lower/conv/Tiles.h"

#include <fmt/format.h>

namespace enfold::lower {
namespace {

using kir::Index;

/// [channel block][kd][kh][kw][lane]
std::vector<float> packWeights(const Tensor& w, const ConvProblem& p, int64_t lanes) {
  const int64_t blocks = (p.cout + lanes - 1) / lanes, taps = p.taps();
  const float* data = w.data<float>();
  std::vector<float> packed(static_cast<size_t>(blocks * taps * lanes));
  for (int64_t c = 0; c < p.cout; ++c)
    for (int64_t t = 0; t < taps; ++t)
      packed[static_cast<size_t>((c / lanes * taps + t) * lanes + c % lanes)] = data[c * taps + t];
  return packed;
}

std::vector<float> packBias(const Tensor& bias, int64_t lanes) {
  std::vector<float> packed(static_cast<size_t>((bias.numElements() + lanes - 1) / lanes * lanes));
  std::copy_n(bias.data<float>(), bias.numElements(), packed.begin());
  return packed;
}

} // namespace

std::string refuseDepthwise(const Op& op, const kir::Target& target) {
  const Type &x = op.own(0)->type(), &y = op.result()->type();
  if (x.elem != ElemType::F32) return "element type is not f32";
  if (x.rank() < 3 || x.rank() > 5) return "spatial rank is not 1 to 3";
  if (!op.own(1)->constant()) return "weights are not constant";
  if (op.own(2) && !op.own(2)->constant()) return "bias is not constant";
  const ConvProblem p = convProblem(op);
  if (p.groups != p.cin || p.cout != p.cin) return "not one filter a channel";
  if (x.layout.block != target.lanes(kir::Scalar::F32) || y.layout != x.layout)
    return "not channel-blocked";
  return epilogueRefusal(op);
}

void lowerDepthwise(const Op& op, Lowering& lowering) {
  const ConvProblem p = convProblem(op);
  const Type& type = op.result()->type();
  const int lanes = lowering.target().lanes(kir::Scalar::F32);
  const int64_t blocks = (p.cout + lanes - 1) / lanes, kw = p.kernel[2];
  // Accumulators beside one row of weights and a register to load into.
  const int64_t pixels = std::clamp<int64_t>(lowering.target().vectorRegisters - kw - 2, 1, 8);

  kir::Builder b("conv_depthwise");
  Epilogue epilogue(op, lowering);
  std::vector<BufferRef> buffers = {
      lowering.storage(op.own(0)),
      lowering.constant(packWeights(*op.own(1)->constant(), p, lanes))};
  const kir::Buffer src = b.input("src", kir::Scalar::F32, op.own(0)->type().numBytes() / 4);
  const kir::Buffer wei = b.input("wei", kir::Scalar::F32, blocks * p.taps() * lanes);
  std::optional<kir::Buffer> bia;
  if (op.own(2)) {
    bia = b.input("bia", kir::Scalar::F32, blocks * lanes);
    buffers.push_back(lowering.constant(packBias(*op.own(2)->constant(), lanes)));
  }
  epilogue.declare(b);
  epilogue.appendBuffers(buffers);
  const kir::Buffer dst = b.output("dst", kir::Scalar::F32, type.numBytes() / 4);
  buffers.push_back(lowering.storage(op.result()));

  const auto tile = [&](std::span<const Index> at, int64_t begin, const Index& shift,
                        int64_t count) {
    const Index &n = at[0], &cb = at[1], &od = at[2], &oh = at[3];
    const Index image = (n * blocks + cb) * (p.inPixels() * lanes);
    std::vector<kir::Var> acc;
    for (int64_t i = 0; i < count; ++i) acc.push_back(b.var("acc", b.zero(kir::f32(lanes))));
    const TapRange depth = tapsInside(p, 0, od), height = tapsInside(p, 1, oh);
    b.forLoop("kd", depth.lo, depth.hi, [&](const Index& kd) {
      b.forLoop("kh", height.lo, height.hi, [&](const Index& kh) {
        const Index id = od * p.strides[0] - p.padsBegin[0] + kd * p.dilations[0];
        const Index ih = oh * p.strides[1] - p.padsBegin[1] + kh * p.dilations[1];
        const Index line = image + (id * p.in[1] + ih) * (p.in[2] * lanes);
        const Index taps = ((cb * p.kernel[0] + kd) * p.kernel[1] + kh) * (kw * lanes);
        for (int64_t x = 0; x < kw; ++x) {
          const kir::Value w = b.load(wei[taps + x * lanes], lanes);
          for (int64_t i = 0; i < count; ++i) {
            if (!tapInside(p, begin + i, x)) continue;
            const Index iw = shift * p.strides[2] + p.inputAt(2, begin + i, x);
            kir::Var& sum = acc[static_cast<size_t>(i)];
            sum.set(b.fma(b.load(src[line + iw * lanes], lanes), w, sum));
          }
        }
      });
    });
    std::optional<kir::Value> bias;
    if (bia) bias = b.load((*bia)[cb * lanes], lanes);
    for (int64_t i = 0; i < count; ++i) {
      const Index pixel = (od * p.out[1] + oh) * p.out[2] + begin + shift + i;
      const kir::Value sum = acc[static_cast<size_t>(i)];
      const kir::Value value =
          epilogue.apply(b, bias ? sum + *bias : sum, blockedCoordinates(type, n, cb, pixel));
      b.store(dst[((n * blocks + cb) * p.outPixels() + pixel) * lanes], value);
    }
  };
  const int64_t extents[] = {p.batch, blocks, p.out[0], p.out[1]};
  const std::string_view names[] = {"n", "cb", "od", "oh"};
  b.parallelGrid(extents, names, [&](std::span<const Index> at) {
    for (const TileRun& run : tileRow(p, pixels))
      b.forLoop("tile", 0, run.count,
                [&](const Index& t) { tile(at, run.begin, t * run.pixels, run.pixels); });
  });
  const double elements = static_cast<double>(type.numElements());
  lowering.call(b.finish(), std::move(buffers),
                {.algorithm = fmt::format("conv_depthwise {}", pixels),
                 .flops = p.flops() + elements * epilogue.flopsPerElement()});
}

} // namespace enfold::lower
