// What the blocked kernels do not take: integers (exact, modulo 2^32 or 2^64), f64, weights that
// are computed; and results of so few channels that most of a block would be empty. Vectors lie
// along rows of the result; a few output channels share each vector of input. A padded copy of the
// input, where there is padding, keeps conditions out of the loops.
#include "lower/conv/Plain.h"

#include "kernel/LooseRanges.h"
#include "lower/Epilogue.h"
#include "lower/LooseIndex.h"
#include "lower/Nest.h"
#include "lower/Scalars.h"
#include "lower/window/WindowProblem.h"

#include <fmt/format.h>

namespace enfold::lower {
namespace {

using kir::Index;
using kir::Value;

/// Output channels that share loads of the input, at most: a weight each is loaded for every
/// vector, so that more make room for fewer vectors.
constexpr int64_t kMostChannels = 6;
/// Sums of a tile at least: with fewer, loading the weights would take longer than multiplying.
constexpr int64_t kFewSums = 12;
/// Of the multiply-adds of a core, how many the kernel does on average; and in how many times as
/// many cycles where pixels are loaded one by one.
constexpr double kEfficiency = 0.6, kStridedFactor = 3;
/// Taps along the width that are written out, as many as windows in use have.
constexpr int64_t kFewTaps = 11;

class PlainConv {
public:
  PlainConv(const Op& op, Lowering& lowering)
      : op_(op), lowering_(lowering), epilogue_(op, lowering), p_(problem()),
        stored_(*scalarOf(op.own(0)->elem())), compute_(computeScalar(stored_)),
        lanes_(lowering.target().lanes(compute_)) {}

  void lower();

private:
  WindowProblem problem();
  BufferRef paddedInput();
  void row(std::span<const Index> at, const Index& first, int64_t channels);
  void anyRow(std::span<const Index> at, const Index& first, int64_t channels);
  struct Tile {
    Index ow;    ///< the first pixel
    int vectors; ///< side by side
    int width;   ///< of each
  };
  void tile(std::span<const Index> at, const Index& first, int64_t channels, const Tile& tile);
  Value multiplyAdd(const Value& a, const Value& w, const Value& sum) {
    return kir::isFloat(compute_) ? b_.fma(a, w, sum) : a * w + sum;
  }
  int vectorsOf(int64_t channels) const;
  int64_t paddedSize(size_t d) const { return p_.in[d] + p_.padsBegin[d] + p_.padsEnd[d]; }
  int64_t paddedPixels() const { return paddedSize(0) * paddedSize(1) * paddedSize(2); }

  const Op& op_;
  Lowering& lowering_;
  Epilogue epilogue_;
  const WindowProblem p_;
  const kir::Scalar stored_, compute_;
  const int lanes_;
  kir::Builder b_{"conv_plain"};
  std::optional<kir::Buffer> src_, wei_, bia_, dst_;
};

/// Pixels of a 1x1 convolution are one long row, unless the epilogue must know where they are.
WindowProblem PlainConv::problem() {
  if (!epilogue_.operands().empty()) return writtenProblem(op_);
  WindowProblem p = windowProblem(op_);
  if (p.isPointwise()) p.in = p.out = {1, 1, p.outPixels()};
  return p;
}

/// The input with its padding around it.
BufferRef PlainConv::paddedInput() {
  const BufferRef input = lowering_.storage(op_.own(0));
  if (paddedPixels() == p_.inPixels()) return input;
  const int64_t planes = p_.batch * p_.cin, size = planes * paddedPixels();
  kir::Builder b("pad_input");
  const kir::Buffer src = b.input("src", stored_, planes * p_.inPixels());
  const kir::Buffer dst = b.output("dst", stored_, size);
  const int lanes = lowering_.target().lanes(stored_);
  const Widths widths{4 * lanes, lanes};
  const int64_t extents[] = {planes, paddedSize(0), paddedSize(1)};
  const std::string_view names[] = {"plane", "d", "h"};
  b.parallelGrid(extents, names, [&](std::span<const Index> at) {
    const Index to = ((at[0] * extents[1] + at[1]) * extents[2] + at[2]) * paddedSize(2);
    const auto zeros = [&](int64_t begin, int64_t count) {
      forVectors(b, to + begin, count, widths,
                 [&](const Index& i, int width) { b.store(dst[i], b.zero({stored_, width})); });
    };
    const Index d = at[1] - p_.padsBegin[0], h = at[2] - p_.padsBegin[1];
    const Index from = ((at[0] * p_.in[0] + d) * p_.in[1] + h) * p_.in[2];
    b.ifElse((d >= 0) & (d < p_.in[0]) & (h >= 0) & (h < p_.in[1]),
             [&] {
               zeros(0, p_.padsBegin[2]);
               forVectors(b, 0, p_.in[2], widths, [&](const Index& i, int width) {
                 b.store(dst[to + p_.padsBegin[2] + i], b.load(src[from + i], width));
               });
               zeros(p_.padsBegin[2] + p_.in[2], p_.padsEnd[2]);
             },
             [&] { zeros(0, paddedSize(2)); });
  });
  const BufferRef padded = lowering_.temporary(size * kir::sizeInBytes(stored_));
  lowering_.call(b.finish(), {input, padded}, {.algorithm = "pad_input"});
  return padded;
}

void PlainConv::lower() {
  std::vector<BufferRef> buffers = {paddedInput(), lowering_.storage(op_.own(1))};
  src_ = b_.input("src", stored_, p_.batch * p_.cin * paddedPixels());
  wei_ = b_.input("wei", stored_, op_.own(1)->type().numElements());
  if (op_.own(2)) {
    bia_ = b_.input("bia", *scalarOf(op_.own(2)->elem()), p_.cout);
    buffers.push_back(lowering_.storage(op_.own(2)));
  }
  epilogue_.declare(b_);
  epilogue_.appendBuffers(buffers);
  dst_ = b_.output("dst", *scalarOf(op_.result()->elem()), op_.result()->type().numElements());
  buffers.push_back(lowering_.storage(op_.result()));
  const int64_t tiles = (p_.coutPerGroup() + kMostChannels - 1) / kMostChannels;
  const int64_t channels = (p_.coutPerGroup() + tiles - 1) / tiles;
  const int64_t last = p_.coutPerGroup() - (tiles - 1) * channels;
  const int64_t extents[] = {p_.batch, p_.groups, tiles, p_.out[0], p_.out[1]};
  const std::string_view names[] = {"n", "g", "tile", "od", "oh"};
  b_.parallelGrid(extents, names, [&](std::span<const Index> at) {
    const Index first = at[1] * p_.coutPerGroup() + at[2] * channels;
    b_.ifElse((at[2] < tiles - 1) | kir::Condition(last == channels),
              [&] { row(at, first, channels); }, [&] { row(at, first, last); });
  });
  const double elements = static_cast<double>(op_.result()->type().numElements());
  lowering_.call(b_.finish(), std::move(buffers),
                 {.algorithm = fmt::format("conv_plain {}", channels),
                  .flops = p_.flops() + elements * epilogue_.flopsPerElement()});
}

/// Vectors that are computed side by side in so many channels: enough sums to hide the latency of
/// additions. Sums, pixels and a weight fit into registers.
int PlainConv::vectorsOf(int64_t channels) const {
  const kir::Machine& machine = lowering_.target().machine;
  const int64_t sums = std::max(kFewSums, machine.chains(machine.vectorBytes));
  const int64_t fitting = (machine.vectorRegisters - 1) / (channels + 1);
  return static_cast<int>(std::clamp<int64_t>((sums + channels - 1) / channels, 1, fitting));
}

void PlainConv::row(std::span<const Index> at, const Index& first, int64_t channels) {
  const int64_t abreast = vectorsOf(channels), pixels = abreast * lanes_;
  if (kir::LooseRanges::areWanted() && p_.out[2] >= lanes_) return anyRow(at, first, channels);
  const int64_t whole = p_.out[2] / pixels * pixels, rest = p_.out[2] - whole;
  b_.forLoop("tile", 0, whole / pixels, [&](const Index& i) {
    tile(at, first, channels, {i * pixels, static_cast<int>(abreast), lanes_});
  });
  if (rest >= lanes_) tile(at, first, channels, {whole, static_cast<int>(rest / lanes_), lanes_});
  if (rest % lanes_)
    tile(at, first, channels, {p_.out[2] - rest % lanes_, 1, static_cast<int>(rest % lanes_)});
}

/// A row of any number of pixels. What is left behind whole tiles is halved until less than a
/// vector is left, which overlaps the one before.
void PlainConv::anyRow(std::span<const Index> at, const Index& first, int64_t channels) {
  const int abreast = vectorsOf(channels);
  const int64_t pixels = abreast * lanes_, whole = p_.out[2] / pixels * pixels;
  b_.forLoop("tile", 0, kir::looseNumber(b_, whole / pixels),
             [&](const Index& i) { tile(at, first, channels, {i * pixels, abreast, lanes_}); });
  forHalves(b_, (p_.out[2] - whole) / lanes_, abreast, [&](int64_t before, int64_t count) {
    const Index ow = kir::looseNumber(b_, whole + before * lanes_);
    tile(at, first, channels, {ow, static_cast<int>(count), lanes_});
  });
  b_.ifThen(Index(0) < kir::looseNumber(b_, p_.out[2] % lanes_), [&] {
    tile(at, first, channels, {kir::looseNumber(b_, p_.out[2] - lanes_), 1, lanes_});
  });
}

/// Some pixels of a row in `channels` output channels from `first` on.
void PlainConv::tile(std::span<const Index> at, const Index& first, int64_t channels,
                     const Tile& t) {
  const Index &n = at[0], &group = at[1], &od = at[3], &oh = at[4];
  const int64_t cin = p_.cinPerGroup();
  std::vector<kir::Var> sums;
  for (int64_t i = 0; i < channels * t.vectors; ++i)
    sums.push_back(b_.var("sum", b_.zero({compute_, t.width})));
  b_.forLoop("c", 0, cin, [&](const Index& c) {
    b_.forLoop("kd", 0, p_.kernel[0], [&](const Index& kd) {
      b_.forLoop("kh", 0, p_.kernel[1], [&](const Index& kh) {
        const Index plane = n * p_.cin + group * cin + c;
        const Index d = od * p_.strides[0] + kd * p_.dilations[0],
                    h = oh * p_.strides[1] + kh * p_.dilations[1];
        const Index from = ((plane * paddedSize(0) + d) * paddedSize(1) + h) * paddedSize(2);
        const auto column = [&](const Index& kw) {
          std::vector<Value> pixels;
          for (int v = 0; v < t.vectors; ++v)
            pixels.push_back(b_.cast(
                b_.loadStrided(
                    (*src_)[from + (t.ow + v * t.width) * p_.strides[2] + kw * p_.dilations[2]],
                    p_.strides[2], t.width),
                compute_));
          for (int64_t i = 0; i < channels; ++i) {
            const Index tap =
                ((((first + i) * cin + c) * p_.kernel[0] + kd) * p_.kernel[1] + kh) * p_.kernel[2] +
                kw;
            const Value w = b_.splat(b_.loadAs(compute_, (*wei_)[tap]), t.width);
            for (int v = 0; v < t.vectors; ++v) {
              kir::Var& sum = sums[static_cast<size_t>(i * t.vectors + v)];
              sum.set(multiplyAdd(pixels[static_cast<size_t>(v)], w, sum));
            }
          }
        };
        if (p_.kernel[2] > kFewTaps)
          b_.forLoop("kw", 0, p_.kernel[2], column);
        else
          for (int64_t kw = 0; kw < p_.kernel[2]; ++kw) column(kw);
      });
    });
  });
  const size_t lead = 5 - op_.result()->shape().size();
  for (int64_t i = 0; i < channels * t.vectors; ++i) {
    const Index channel = first + i / t.vectors, ow = t.ow + i % t.vectors * t.width;
    Value value = sums[static_cast<size_t>(i)];
    if (bia_) value = value + b_.splat(b_.loadAs(compute_, (*bia_)[channel]), t.width);
    const Index spatial[] = {od, oh, ow};
    std::vector<Index> place = {n, channel};
    place.insert(place.end(), std::begin(spatial) + static_cast<ptrdiff_t>(lead),
                 std::end(spatial));
    const Index element =
        (((n * p_.cout + channel) * p_.out[0] + od) * p_.out[1] + oh) * p_.out[2] + ow;
    b_.storeAs((*dst_)[element], epilogue_.apply(b_, value, place));
  }
}

} // namespace

std::string refuseConvPlain(const Op& op, const kir::Target&) {
  const Type &x = op.own(0)->type(), &y = op.result()->type();
  if (!scalarOf(x.elem) || x.elem == ElemType::Bool) return "element type without arithmetic";
  if (x.rank() < 3 || x.rank() > 5) return "spatial rank is not 1 to 3";
  if (!x.layout.isPlain() || !y.layout.isPlain()) return "channel-blocked";
  for (int64_t pad : op.ints("pads"))
    if (pad < 0) return "padding that crops";
  if (x.numElements() == 0 || op.own(1)->type().numElements() == 0) return "nothing to multiply";
  return epilogueRefusal(op);
}

double plainCycles(const WindowProblem& problem, const kir::Target& target) {
  const int64_t lanes = target.lanes(kir::Scalar::F32);
  const int64_t pixels = problem.outPixels(), width = problem.out[2];
  const auto vectors = [&](int64_t row) { return (row + lanes - 1) / lanes; };
  const int64_t all = problem.isPointwise() ? vectors(pixels)
                                            : pixels / std::max<int64_t>(1, width) * vectors(width);
  const int64_t taps = problem.kernel[0] * problem.kernel[1] * problem.kernel[2];
  const auto steps = static_cast<double>(problem.batch * problem.cout * all) *
                     static_cast<double>(problem.cinPerGroup() * taps);
  const double cycles = steps / target.machine.fma.of(target.machine.vectorBytes) / kEfficiency;
  return problem.strides[2] == 1 ? cycles : kStridedFactor * cycles;
}

void lowerConvPlain(const Op& op, Lowering& lowering) { PlainConv(op, lowering).lower(); }

} // namespace enfold::lower
