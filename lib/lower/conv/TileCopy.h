// The copy of an input that tiles are loaded from, as TileGeometry.h has it.
#pragma once

#include "kernel/Builder.h"
#include "lower/conv/TileGeometry.h"

namespace enfold::lower {

class TileCopy {
public:
  struct Operands {
    kir::Buffer source, copy;
    int64_t block; ///< channels in a block of the source
    int64_t zero;  ///< what pads the image
  };
  /// For so many rows of the result. All of what is given must outlive it.
  TileCopy(kir::Builder& b, const Operands& operands, const WindowProblem& problem,
           const TileGeometry& geometry, int64_t rows);

  /// Writes what rows of an image's result read, from `firstRow` on.
  void write(const kir::Index& image, const kir::Index& firstRow);

private:
  /// The first so many blocks of a unit; what fills up the last one is zero in the copy if
  /// `isPartial`.
  struct Unit {
    kir::Index image, firstRow, number;
    int64_t blocks;
    bool isPartial;
  };
  /// The same of pixels.
  struct Pixels {
    kir::Index to, from;
    int64_t blocks;
    bool isPartial;
  };

  int64_t elements(int64_t bytes) const { return bytes / g_.elementBytes; }
  int64_t blocksPerUnit() const { return ceilDiv(g_.channels, block_); }
  /// Of a plane.
  int64_t cellsInRow() const { return g_.columns * g_.columnBytes / g_.cellBytes; }
  void writeUnit(const Unit& unit);
  void writeRow(const Pixels& row, int64_t firstColumn);
  void writePixels(const Pixels& pixels, int64_t count);
  void writeWindows(const Pixels& row);
  kir::Value windowAt(const Pixels& row, int64_t firstPixel);
  void storeCell(const kir::Index& to, const kir::Value& cell, bool isPartial);
  void fill(const kir::Index& to, const kir::Index& begin, const kir::Index& end);
  void transposeBlocks(std::vector<kir::Value>& vectors);
  kir::Value withoutPadding(const kir::Value& blocks);

  kir::Builder& b_;
  const kir::Buffer src_, copy_;
  const int64_t block_, zero_;
  const WindowProblem& p_;
  const TileGeometry& g_;
  const int64_t rows_, blocks_; ///< blocks: of channels of the source
  const kir::Scalar pixel_;
};

} // namespace enfold::lower
