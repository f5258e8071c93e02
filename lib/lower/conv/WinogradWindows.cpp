// Magnitudes are compared pixel by pixel, over all channels.
#include "lower/conv/WinogradWindows.h"

#include "lower/conv/WinogradSchedule.h"

#include <fmt/format.h>

#include <bit>
#include <limits>

namespace enfold::lower {

using kir::Index;
using kir::Value;

namespace {

constexpr auto kNoTap = std::bit_cast<int32_t>(Polyphase::kNoTap);

} // namespace

WinogradWindows::WinogradWindows(const Op& op, const Polyphase& phases, const WinogradTransforms& w,
                                 const WinogradTiles& tiles)
    : op_(op), phases_(phases), w_(w), tiles_(tiles), lanes_(op.result()->type().layout.block),
      cin_(tiles.inputBlocks()) {}

int64_t WinogradWindows::numFilterWeights() const {
  const WindowProblem& p = phases_.problem;
  return ceilDiv(p.cout, lanes_) * lanes_ * p.cin * p.taps();
}

void WinogradWindows::declareFilters(kir::Builder& b, std::vector<BufferRef>& buffers,
                                     Lowering& lowering) {
  filters_ = b.input("filters", kir::Scalar::F32, numFilterWeights());
  buffers.push_back(packedFilters(lowering));
}

/// The weights as they are: [block of output channels][input channel][tap][lane].
BufferRef WinogradWindows::packedFilters(Lowering& lowering) const {
  const WindowProblem& p = phases_.problem;
  const int64_t ofFilter = p.cin * p.taps(), cout = p.cout, lanes = lanes_;
  const auto pack = [=, phases = phases_](const Tensor& weights, float* to, int64_t) {
    withFilters(phases, weights, [&](const float* data) {
      for (int64_t first = 0; first < cout; first += lanes)
        for (int64_t i = 0; i < ofFilter; ++i)
          for (int64_t k = first; k < std::min(first + lanes, cout); ++k)
            to[first * ofFilter + i * lanes + k - first] = data[k * ofFilter + i];
    });
  };
  return lowering.packed<float>(*op_.own(1)->constant(),
                                fmt::format("filters by {} {}", lanes_, filtersKey(phases_)),
                                numFilterWeights(), pack);
}

/// Whether the largest number of a tile is more than kLargestSpread times that of some window, over
/// all channels, or beyond kLargestNumber. Taps that a phase lacks would count; there, pixels of
/// phases take the place of windows. Pixels outside the image do not count.
Value WinogradWindows::isUneven(kir::Builder& b, const kir::Buffer& src,
                                const WinogradTile& tile) const {
  const WindowProblem& p = phases_.problem;
  const kir::Type type = kir::i32(int(lanes_)), one = kir::i32(1);
  const int64_t rows = w_.y.tile, columns = w_.x.tile, rest = p.cin % lanes_;
  const bool isPhased = phases_.isPhased();
  const int64_t phases = phases_.inputPhases[1] * phases_.inputPhases[2], blocks = cin_ / phases;
  const int64_t kh = isPhased ? 1 : p.kernel[1], kw = isPhased ? 1 : p.kernel[2];
  const int64_t none = std::numeric_limits<int32_t>::max();
  kir::Var largest = b.var("largest", b.zero(one));
  kir::Var least = b.var("least", b.constantInt(one, none));
  const auto at = [&](const Index& i, const Index& j) { return (*magnitudes_)[i * columns + j]; };
  b.forLoop("phase", 0, phases, [&](const Index& phase) {
    b.forLoop("i", 0, rows, [&](const Index& i) {
      b.forLoop("j", 0, columns, [&](const Index& j) {
        kir::Var most = b.var("most", b.zero(type));
        const auto magnitudes = [&](const Index& block) {
          const WinogradTiles::Pixel pixel = tiles_.pixelAt(tile, tile.plane, block, i, j);
          const Value v = b.loadAs(kir::Scalar::F32, src[pixel.element], int(lanes_));
          return b.bitcast(v, kir::Scalar::I32) & kMagnitudeBits;
        };
        b.forLoop("cb", phase * blocks, (phase + 1) * blocks - (rest > 0),
                  [&](const Index& cb) { most.set(b.max(most, magnitudes(cb))); });
        if (rest > 0)
          most.set(b.max(most, b.select(b.iota(type) < rest, magnitudes(cin_ - 1), b.zero(type))));
        const kir::Condition isInside =
            tiles_.pixelAt(tile, tile.plane, phase * blocks, i, j).isInside;
        b.ifElse(
            isInside,
            [&] {
              const Value magnitude = b.reduceMax(most);
              b.store(at(i, j), magnitude);
              largest.set(b.max(largest, magnitude));
            },
            [&] { b.store(at(i, j), b.constantInt(one, -1)); });
      });
    });
    b.forLoop("i", 0, rows + 1 - kh, [&](const Index& i) {
      b.forLoop("j", 0, columns + 1 - kw, [&](const Index& j) {
        kir::Var window = b.var("window", b.constantInt(one, -1));
        b.forLoop("ky", 0, kh, [&](const Index& ky) {
          b.forLoop("kx", 0, kw, [&](const Index& kx) {
            window.set(b.max(window, b.load(at(i + ky, j + kx))));
          });
        });
        least.set(b.min(least, b.select(Value(window) < 0, b.constantInt(one, none), window)));
      });
    });
  });
  constexpr auto kSpread =
      int64_t{std::bit_cast<int32_t>(kLargestSpread)} - std::bit_cast<int32_t>(1.0f);
  const Value isSpread = Value(largest) - b.min(least, largest) > kSpread;
  return isSpread | (Value(largest) >= std::bit_cast<int32_t>(kLargestNumber));
}

/// The sums of one tile and one output channel block over their windows.
void WinogradWindows::sum(kir::Builder& b, const kir::Buffer& src, const kir::Buffer& pixels,
                          const TapRange& depth, const WinogradTile& tile,
                          const Index& channelBlock) const {
  const WindowProblem& p = phases_.problem;
  const int64_t m = w_.x.outputs, taps = p.taps(), kh = p.kernel[1], kw = p.kernel[2];
  b.forLoop("i", 0, w_.y.outputs, [&](const Index& i) {
    std::vector<kir::Var> sums;
    for (int64_t j = 0; j < m; ++j) sums.push_back(b.var("sum", b.zero(kir::f32(int(lanes_)))));
    b.forLoop("c", 0, p.cin, [&](const Index& c) {
      const Index filter = (channelBlock * p.cin + c) * taps;
      b.forLoop("kd", depth.lo, depth.hi, [&](const Index& kd) {
        const Index plane = isVolume(p)
                                ? tile.plane * p.strides[0] - p.padsBegin[0] + kd * p.dilations[0]
                                : Index(0);
        const auto addTaps = [&](const auto& pixel) {
          b.forLoop("ky", 0, kh, [&](const Index& ky) {
            b.forLoop("kx", 0, kw, [&](const Index& kx) {
              const Value w =
                  b.load((*filters_)[(filter + (kd * kh + ky) * kw + kx) * lanes_], int(lanes_));
              const Value bits = b.bitcast(w, kir::Scalar::I32);
              for (int64_t j = 0; j < m; ++j) {
                kir::Var& sum = sums[static_cast<size_t>(j)];
                const Value next = b.fma(pixel(i + ky, kx + j), w, sum);
                sum.set(phases_.isPhased() ? b.select(bits != int64_t{kNoTap}, next, sum) : next);
              }
            });
          });
        };
        const auto load = [&](const Index& element) {
          return b.splat(b.loadAs(kir::Scalar::F32, src[element + c % lanes_]), int(lanes_));
        };
        const WinogradTiles::Pixel first = tiles_.pixelAt(tile, plane, c / lanes_, i, 0);
        const WinogradTiles::Pixel last =
            tiles_.pixelAt(tile, plane, c / lanes_, i + (kh - 1), m + kw - 2);
        const WinogradTiles::Source source = tiles_.sourceOf(tile, c / lanes_);
        b.ifElse(
            first.isInside & last.isInside,
            [&] {
              addTaps([&](const Index& y, const Index& x) {
                const Index past = (y - i) * source.stepY * p.in[2] + x * source.stepX;
                return load(first.element + past * lanes_);
              });
            },
            [&] {
              addTaps([&](const Index& y, const Index& x) {
                const WinogradTiles::Pixel pixel = tiles_.pixelAt(tile, plane, c / lanes_, y, x);
                const Value v = load(pixel.element), zero = b.zero(v.type());
                if (const auto known = pixel.isInside.known()) return *known ? v : zero;
                return b.select(pixel.isInside.value(), v, zero);
              });
            });
      });
    });
    for (int64_t j = 0; j < m; ++j)
      b.store(pixels[(i * m + j) * lanes_], sums[static_cast<size_t>(j)]);
  });
}

} // namespace enfold::lower
