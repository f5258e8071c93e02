// Two orders of the same products. Tap by tap, every tap loads its pixels anew, in a loop of its
// own: written out one after the other, code generation would keep the pixels that taps have in
// common in registers, of which there are none left. Sharing, the weights of all taps are held in
// registers and every pixel is loaded once, which pays when the tile has few blocks of channels and
// loads are what bounds it.
#include "lower/conv/TapRow.h"

#include "lower/window/Tiles.h"

#include <algorithm>
#include <bit>

namespace enfold::lower {

using kir::Index;
using kir::Value;

struct TapRow::Tile {
  const Source& source;
  const Weights& weights;
  int64_t channels, begin, pixels;
  std::vector<kir::Var>& accumulators;
};

namespace {

/// A loop over `count` channels, `unroll` of them at a time.
template <typename Body>
void forChannels(kir::Builder& b, int64_t count, int64_t unroll, Body&& body) {
  unroll = std::min(unroll, count);
  const int64_t rest = count % unroll;
  b.forLoop("c", 0, count - rest, unroll, [&](const Index& c) {
    for (int64_t u = 0; u < unroll; ++u) body(c + u);
  });
  for (int64_t u = 0; u < rest; ++u) body(Index(count - rest + u));
}

} // namespace

std::vector<TapWeight> TapRow::weightOrder(const ConvSchedule& schedule, int64_t channels,
                                           int64_t taps) {
  std::vector<TapWeight> order;
  if (schedule.sharesPixels)
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t x = 0; x < taps; ++x) order.push_back({c, x});
  else
    for (int64_t x = 0; x < taps; ++x)
      for (int64_t c = 0; c < channels; ++c) order.push_back({c, x});
  return order;
}

void TapRow::reduce(const Source& source, const Weights& weights, int64_t channels, int64_t begin,
                    int64_t pixels, std::vector<kir::Var>& accumulators) {
  const Tile tile = {source, weights, channels, begin, pixels, accumulators};
  schedule_.sharesPixels ? sharing(tile) : tapByTap(tile);
}

TapRow::Weight TapRow::load(const Weights& weights, const Index& element) {
  const Value value = b_.load(weights.buffer[element], int(lanes_));
  if (!merged_) return {value, std::nullopt};
  return {value, b_.bitcast(value, kir::Scalar::I32) !=
                     static_cast<int64_t>(std::bit_cast<int32_t>(kOfOtherGroup))};
}

void TapRow::accumulate(kir::Var& sum, const Value& pixel, const Weight& weight) {
  const Value next = b_.fma(pixel, weight.value, sum);
  sum.set(weight.isOwn ? b_.select(*weight.isOwn, next, sum) : next);
}

void TapRow::tapByTap(const Tile& tile) {
  const int64_t blocks = schedule_.blocks, vectors = blocks * lanes_;
  const auto product = [&](const Index& x, const Index& c, int64_t anyTap) {
    const Index wei = tile.weights.at + (x * tile.weights.channels + c) * vectors;
    std::vector<Weight> w;
    for (int64_t block = 0; block < blocks; ++block)
      w.push_back(load(tile.weights, wei + block * lanes_));
    for (int64_t pixel = 0; pixel < tile.pixels; ++pixel) {
      if (!tapInside(p_, tile.begin + pixel, anyTap)) continue;
      const Index from = tile.source.at + c * tile.source.channelStride +
                         (x * p_.dilations[2] + pixel * p_.strides[2]) * tile.source.pixelStride;
      const Value v = b_.broadcast(tile.source.buffer[from], int(lanes_));
      for (int64_t block = 0; block < blocks; ++block) {
        kir::Var& acc = tile.accumulators[static_cast<size_t>(pixel * blocks + block)];
        accumulate(acc, v, w[static_cast<size_t>(block)]);
      }
    }
  };
  for (const TapRun& run : tapRuns(p_, tile.begin, tile.pixels))
    b_.forLoop("x", run.lo, run.hi, [&](const Index& x) {
      forChannels(b_, tile.channels, schedule_.unroll,
                  [&](const Index& c) { product(x, c, run.lo); });
    });
}

void TapRow::sharing(const Tile& tile) {
  const int64_t blocks = schedule_.blocks, kw = p_.kernel[2];
  const std::vector<TileColumn> columns = tileColumns(p_, tile.begin, tile.pixels);
  const auto channel = [&](const Index& c) {
    std::vector<Weight> w;
    for (int64_t i = 0; i < kw * blocks; ++i)
      w.push_back(load(tile.weights, tile.weights.at + (c * kw * blocks + i) * lanes_));
    for (const TileColumn& column : columns) {
      const Value v =
          b_.broadcast(tile.source.buffer[tile.source.at + c * tile.source.channelStride +
                                          column.at * tile.source.pixelStride],
                       int(lanes_));
      for (const auto& [pixel, tap] : column.uses)
        for (int64_t block = 0; block < blocks; ++block) {
          kir::Var& acc = tile.accumulators[static_cast<size_t>(pixel * blocks + block)];
          accumulate(acc, v, w[static_cast<size_t>(tap * blocks + block)]);
        }
    }
  };
  forChannels(b_, tile.channels, schedule_.unroll, channel);
}

} // namespace enfold::lower
