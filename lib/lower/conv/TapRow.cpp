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
  int64_t words, begin, pixels;
  std::vector<kir::Var>& accumulators;
};

namespace {

/// A loop over `count` words of channels, `unroll` of them at a time.
template <typename Body>
void forWords(kir::Builder& b, int64_t count, int64_t unroll, Body&& body) {
  unroll = std::min(unroll, count);
  const int64_t rest = count % unroll;
  b.forLoop("c", 0, count - rest, unroll, [&](const Index& c) {
    for (int64_t u = 0; u < unroll; ++u) body(c + u);
  });
  for (int64_t u = 0; u < rest; ++u) body(Index(count - rest + u));
}

} // namespace

std::vector<TapWeight> TapRow::weightOrder(const ConvSchedule& schedule, int64_t words,
                                           int64_t taps) {
  std::vector<TapWeight> order;
  if (schedule.sharesPixels)
    for (int64_t c = 0; c < words; ++c)
      for (int64_t x = 0; x < taps; ++x) order.push_back({c, x});
  else
    for (int64_t x = 0; x < taps; ++x)
      for (int64_t c = 0; c < words; ++c) order.push_back({c, x});
  return order;
}

void TapRow::reduce(const Source& source, const Weights& weights, int64_t words, int64_t begin,
                    int64_t pixels, std::vector<kir::Var>& accumulators) {
  const Tile tile = {source, weights, words, begin, pixels, accumulators};
  schedule_.sharesPixels ? sharing(tile) : tapByTap(tile);
}

TapRow::Weight TapRow::load(const Weights& weights, const Index& vector) {
  const auto elements = static_cast<int>(lanes_ * schedule_.words.channels);
  const Value value = b_.load(weights.buffer[weights.at + vector * elements], elements);
  if (!merged_) return {value, std::nullopt};
  return {value, b_.bitcast(value, kir::Scalar::I32) !=
                     static_cast<int64_t>(std::bit_cast<int32_t>(kOfOtherGroup))};
}

/// Of pixel `i` of a tile, `column` columns behind it.
Value TapRow::pixel(const Source& source, const Index& word, const Index& column, int64_t i) {
  const Index at = source.pixels.empty() ? Index(i * p_.strides[2] * source.pixelStride)
                                         : source.pixels[static_cast<size_t>(i)];
  return b_.broadcastWord(
      source.buffer[source.at + word * source.wordStride + column * source.pixelStride + at],
      schedule_.words.channels, int(lanes_));
}

void TapRow::accumulate(kir::Var& sum, const Value& pixel, const Weight& weight) {
  if (schedule_.words.sum == kir::Scalar::I32) return sum.set(b_.dot(sum, pixel, weight.value));
  const Value next = b_.fma(pixel, weight.value, sum);
  sum.set(weight.isOwn ? b_.select(*weight.isOwn, next, sum) : next);
}

void TapRow::tapByTap(const Tile& tile) {
  const int64_t blocks = schedule_.blocks;
  const bool isAnywhere = !tile.source.pixels.empty();
  const auto product = [&](const Index& x, const Index& c, int64_t anyTap) {
    std::vector<Weight> w;
    for (int64_t block = 0; block < blocks; ++block)
      w.push_back(load(tile.weights, (x * tile.weights.words + c) * blocks + block));
    for (int64_t i = 0; i < tile.pixels; ++i) {
      if (!isAnywhere && !tapInside(p_, tile.begin + i, anyTap)) continue;
      const Value v = pixel(tile.source, c, x * p_.dilations[2], i);
      for (int64_t block = 0; block < blocks; ++block) {
        kir::Var& acc = tile.accumulators[static_cast<size_t>(i * blocks + block)];
        accumulate(acc, v, w[static_cast<size_t>(block)]);
      }
    }
  };
  const std::vector<TapRun> runs =
      isAnywhere ? std::vector<TapRun>{{0, p_.kernel[2]}} : tapRuns(p_, tile.begin, tile.pixels);
  for (const TapRun& run : runs)
    b_.forLoop("x", run.lo, run.hi, [&](const Index& x) {
      forWords(b_, tile.words, schedule_.unroll, [&](const Index& c) { product(x, c, run.lo); });
    });
}

void TapRow::sharing(const Tile& tile) {
  const int64_t blocks = schedule_.blocks, kw = p_.kernel[2];
  const std::vector<TileColumn> columns = tileColumns(p_, tile.begin, tile.pixels);
  const auto word = [&](const Index& c) {
    std::vector<Weight> w;
    for (int64_t i = 0; i < kw * blocks; ++i)
      w.push_back(load(tile.weights, c * (kw * blocks) + i));
    for (const TileColumn& column : columns) {
      const Value v = pixel(tile.source, c, column.at, 0);
      for (const auto& [i, tap] : column.uses)
        for (int64_t block = 0; block < blocks; ++block) {
          kir::Var& acc = tile.accumulators[static_cast<size_t>(i * blocks + block)];
          accumulate(acc, v, w[static_cast<size_t>(tap * blocks + block)]);
        }
    }
  };
  forWords(b_, tile.words, schedule_.unroll, word);
}

} // namespace enfold::lower
