// Rows of pixels cut into tiles: every pixel is covered, and rows of any width are cut alike.
#include "lower/window/Tiles.h"

#include <gtest/gtest.h>

#include <set>

namespace enfold::lower {
namespace {

WindowProblem problem(int64_t width, int64_t taps, int64_t stride, int64_t dilation, int64_t pad) {
  WindowProblem p;
  p.anyWidth = true;
  p.in[2] = width;
  p.kernel[2] = taps;
  p.strides[2] = stride;
  p.dilations[2] = dilation;
  p.padsBegin[2] = p.padsEnd[2] = pad;
  p.out[2] = (width + 2 * pad - (taps - 1) * dilation - 1) / stride + 1;
  return p;
}

/// Calls check(problem, pixels) for windows of many kinds over rows of `widths`.
template <typename Check> void sweep(int64_t first, int64_t last, Check&& check) {
  for (const int64_t taps : {1, 2, 3, 5, 7})
    for (const int64_t stride : {1, 2, 3})
      for (const int64_t dilation : {1, 2})
        for (const int64_t pad : {int64_t{0}, taps / 2 * dilation})
          for (const int64_t pixels : {1, 2, 4, 6, 8})
            for (int64_t width = first; width <= last; ++width) {
              const WindowProblem p = problem(width, taps, stride, dilation, pad);
              if (p.out[2] > 0) check(p, pixels);
            }
}

TEST(Tiles, CoverRowsOfAnyWidth) {
  sweep(1, 30, [](const WindowProblem& p, int64_t most) {
    const int64_t pixels = tileForAnyWidth(p, most);
    ASSERT_LE(pixels, most);
    std::set<int64_t> covered;
    for (const TileRun& run : tileRow(p, pixels))
      for (int64_t t = 0; t < run.count; ++t) {
        const int64_t place = run.any ? std::min(run.any->first + t * run.pixels, run.any->last)
                                      : run.begin + t * run.pixels;
        ASSERT_GE(place, 0);
        ASSERT_LE(place + run.pixels, p.out[2]);
        for (int64_t i = 0; i < run.pixels; ++i) {
          covered.insert(place + i);
          for (int64_t k = 0; k < p.kernel[2]; ++k)
            ASSERT_EQ(tapInside(p, place + i, k), tapInside(p, run.begin + i, k))
                << "tiles of a run read alike";
        }
      }
    EXPECT_EQ(static_cast<int64_t>(covered.size()), p.out[2])
        << p.in[2] << " by " << pixels << ", " << p.kernel[2] << " taps";
  });
}

/// Which taps of which pixels are inside, of each run, and which runs may have any length.
std::string description(const WindowProblem& p, int64_t pixels) {
  std::string text;
  for (const TileRun& run : tileRow(p, pixels)) {
    text += run.any ? '*' : ' ';
    for (int64_t i = 0; i < run.pixels; ++i)
      for (int64_t k = 0; k < p.kernel[2]; ++k) text += tapInside(p, run.begin + i, k) ? 'x' : '-';
  }
  return text;
}

TEST(Tiles, CutWideRowsAlike) {
  std::set<std::string> seen;
  std::array<int64_t, 5> last{};
  sweep(48, 59, [&](const WindowProblem& p, int64_t pixels) {
    const std::array<int64_t, 5> window = {p.kernel[2], p.strides[2], p.dilations[2],
                                           p.padsBegin[2], pixels};
    if (window != last) seen.clear();
    last = window;
    EXPECT_EQ(tileForAnyWidth(p, pixels), pixels);
    seen.insert(description(p, pixels));
    // What is left over at the end by the stride decides how the last tile reads.
    EXPECT_LE(static_cast<int64_t>(seen.size()), p.strides[2]);
  });
}

} // namespace
} // namespace enfold::lower
