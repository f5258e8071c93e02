// Planes and steps.
#include "lower/conv/TileGeometry.h"

#include <algorithm>

namespace enfold::lower {
namespace {

/// The number of `x` in a list, where it is put if it is not there.
int64_t numberIn(std::vector<int64_t>& list, int64_t x) {
  const auto found = std::ranges::find(list, x);
  if (found != list.end()) return found - list.begin();
  list.push_back(x);
  return std::ssize(list) - 1;
}

} // namespace

TileGeometry::TileGeometry(const WindowProblem& p, kir::Scalar pixel, int64_t inputBlock)
    : elementBytes(kir::sizeInBytes(pixel)) {
  const int64_t kw = p.kernel[2], sw = p.strides[2], dw = p.dilations[2];
  const int64_t stored = ceilDiv(p.cin, inputBlock) * inputBlock * elementBytes;
  // Bytes of other pixels are multiplied by zeros, which is right for integers only.
  sharesBytes =
      stored < kTileBytes && dw == 1 && (kir::isInteger(pixel) || kw * stored % kTileBytes == 0);
  pixelBytes = sharesBytes ? stored : kTileBytes;
  channels = pixelBytes / elementBytes;
  units = sharesBytes ? 1 : ceilDiv(p.cin, channels);
  columnBytes = sharesBytes ? sw * pixelBytes : pixelBytes;
  columns = p.out[2] + (kw - 1) * dw / sw;
  for (int64_t y = 0; y < p.kernel[1]; ++y) {
    const int64_t at = y * p.dilations[1], row = at / p.strides[1];
    const int64_t first = numberIn(rowsOfPlanes, at % p.strides[1]);
    if (sharesBytes) {
      numberIn(columnsOfPlanes, 0);
      for (int64_t byte = 0; byte < kw * pixelBytes; byte += kTileBytes)
        steps.push_back({first, row, byte, y, byte / pixelBytes, byte % pixelBytes});
      continue;
    }
    for (int64_t x = 0; x < kw; ++x) {
      const int64_t second = numberIn(columnsOfPlanes, x * dw % sw);
      steps.push_back({first, row, x * dw / sw * pixelBytes, y, x, 0});
      steps.back().plane = first + second * p.kernel[1]; // numbered below, when all are known
    }
  }
  if (!sharesBytes)
    for (TileStep& step : steps) {
      const int64_t first = step.plane % p.kernel[1], second = step.plane / p.kernel[1];
      step.plane = first * std::ssize(columnsOfPlanes) + second;
    }
  lastRow = std::ranges::max(steps, {}, &TileStep::row).row;
  lastOffset = std::ranges::max(steps, {}, &TileStep::offset).offset;
}

} // namespace enfold::lower
