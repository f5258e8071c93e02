// How a convolution is a product of matrices in tiles (kernel/Op.h): the copy of the input that
// tiles are loaded from, and the steps in which a sum goes over the taps and input channels.
//
// Rows of the copy hold `columns` columns each, one behind the other, so that a tile's 16 pixels,
// which may be of several rows of the result, are equally far apart: pixel (oh, ow) is number oh *
// columns + ow. Those past the width of the result are computed and left out. The copy has a plane
// for every remainder of taps by the strides (as a space-to-depth has), so that a tap of all pixels
// is at one distance, and its padding is part of it.
#pragma once

#include "kernel/Type.h"
#include "lower/window/WindowProblem.h"

#include <vector>

namespace enfold::lower {

/// A row of a tile of pixels: 64 bytes.
inline constexpr int64_t kTileBytes = 64;

/// One product of tiles for every unit of channels.
struct TileStep {
  int64_t plane;        ///< of the copy
  int64_t row, offset;  ///< first row in the plane; bytes behind its beginning
  int64_t kh, firstTap; ///< tap of the height; tap of the width that the first byte belongs to
  int64_t firstByte;    ///< of that tap's pixel
};

/// What a row of a tile of pixels is.
enum class TileRow : uint8_t {
  Pixel,  ///< 64 bytes of a pixel, a unit of channels, with zeros behind the last ones
  Pixels, ///< neighbours of fewer bytes each; those outside the window are multiplied by zeros
  Window, ///< a row of the window, of pixels of one block of channels, with zeros behind them
};

struct TileGeometry {
  TileGeometry(const WindowProblem& problem, kir::Scalar pixel, int64_t inputBlock);

  /// Of the copy for so many rows of the result: of a plane, of a unit, and of all units, without
  /// what the last tile reads behind it.
  int64_t planeRows(int64_t rows) const { return rows + lastRow; }
  int64_t planeBytes(int64_t rows) const { return planeRows(rows) * columns * columnBytes; }
  int64_t unitBytes(int64_t rows) const {
    return static_cast<int64_t>(rowsOfPlanes.size() * columnsOfPlanes.size()) * planeBytes(rows);
  }
  /// Tiles for so many rows of the result, an even number.
  int64_t tiles(int64_t rows) const { return ceilDiv(rows * columns, 2 * kir::kTileRows) * 2; }
  int64_t copyBytes(int64_t rows) const {
    return units * unitBytes(rows) + 2 * kir::kTileRows * columnBytes + lastOffset + kTileBytes;
  }
  TileRow kind;
  int64_t elementBytes, pixelBytes;
  int64_t units;    ///< of channels
  int64_t channels; ///< of the input in a unit
  int64_t columns, columnBytes;
  int64_t cellBytes;           ///< that the copy is made of: a pixel, or a row of the window
  int64_t lastRow, lastOffset; ///< largest of the steps
  std::vector<int64_t> rowsOfPlanes, columnsOfPlanes; ///< remainders by the strides
  std::vector<TileStep> steps;
};

} // namespace enfold::lower
