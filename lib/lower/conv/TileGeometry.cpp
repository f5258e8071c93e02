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

TileRow kindOf(const WindowProblem& p, int64_t pixelBytes, bool isOneBlock, bool isInteger) {
  const int64_t windowBytes = p.kernel[2] * pixelBytes;
  if (pixelBytes >= kTileBytes || p.dilations[2] != 1) return TileRow::Pixel;
  // Of floats, infinity times zero is not zero.
  if (isInteger || windowBytes % kTileBytes == 0) return TileRow::Pixels;
  return isOneBlock && windowBytes < kTileBytes ? TileRow::Window : TileRow::Pixel;
}

} // namespace

TileGeometry::TileGeometry(const WindowProblem& p, kir::Scalar pixel, int64_t inputBlock)
    : elementBytes(kir::sizeInBytes(pixel)) {
  const int64_t kw = p.kernel[2], sw = p.strides[2], dw = p.dilations[2];
  const int64_t stored = ceilDiv(p.cin, inputBlock) * inputBlock * elementBytes;
  kind = kindOf(p, stored, p.cin <= inputBlock, kir::isInteger(pixel));
  pixelBytes = kind == TileRow::Pixel ? kTileBytes : stored;
  channels = pixelBytes / elementBytes;
  units = kind == TileRow::Pixel ? ceilDiv(p.cin, channels) : 1;
  cellBytes = kind == TileRow::Window ? kTileBytes : pixelBytes;
  columnBytes = kind == TileRow::Pixels ? sw * pixelBytes : kTileBytes;
  columns = p.out[2] + (kind == TileRow::Window ? 0 : (kw - 1) * dw / sw);
  for (int64_t x = 0; x < (kind == TileRow::Pixel ? kw : 1); ++x)
    numberIn(columnsOfPlanes, x * dw % sw);
  for (int64_t y = 0; y < p.kernel[1]; ++y) {
    const int64_t at = y * p.dilations[1], row = at / p.strides[1];
    const int64_t plane = numberIn(rowsOfPlanes, at % p.strides[1]) * std::ssize(columnsOfPlanes);
    if (kind == TileRow::Pixel)
      for (int64_t x = 0; x < kw; ++x)
        steps.push_back({plane + numberIn(columnsOfPlanes, x * dw % sw), row,
                         x * dw / sw * pixelBytes, y, x, 0});
    else
      for (int64_t byte = 0; byte < kw * pixelBytes; byte += kTileBytes)
        steps.push_back({plane, row, byte, y, byte / pixelBytes, byte % pixelBytes});
  }
  lastRow = std::ranges::max(steps, {}, &TileStep::row).row;
  lastOffset = std::ranges::max(steps, {}, &TileStep::offset).offset;
}

} // namespace enfold::lower
