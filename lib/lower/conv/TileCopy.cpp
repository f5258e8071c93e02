// Rows, pixels and windows of the copy.
#include "lower/conv/TileCopy.h"

#include "kernel/LooseRanges.h"
#include "lower/conv/ConvOperands.h"

#include <algorithm>

namespace enfold::lower {

using kir::Index;
using kir::Value;

TileCopy::TileCopy(kir::Builder& b, const Operands& operands, const WindowProblem& problem,
                   const TileGeometry& geometry, int64_t rows)
    : b_(b), src_(operands.source), copy_(operands.copy), block_(operands.block),
      zero_(operands.zero), p_(problem), g_(geometry), rows_(rows),
      blocks_(ceilDiv(problem.cin, operands.block)), pixel_(operands.source.elem()) {}

void TileCopy::write(const Index& image, const Index& firstRow) {
  const int64_t perUnit = blocksPerUnit();
  const bool isFull = kir::isInteger(pixel_) || p_.cin % block_ == 0;
  const int64_t whole = (isFull ? blocks_ : blocks_ - 1) / perUnit,
                rest = blocks_ - whole * perUnit;
  b_.forLoop("unit", 0, whole,
             [&](const Index& unit) { writeUnit({image, firstRow, unit, perUnit, false}); });
  if (rest) writeUnit({image, firstRow, whole, rest, !isFull});
}

void TileCopy::writeUnit(const Unit& unit) {
  const Index source =
      (unit.image * blocks_ + unit.number * blocksPerUnit()) * (p_.inPixels() * block_);
  const int64_t planesAcross = std::ssize(g_.columnsOfPlanes);
  for (int64_t plane = 0; plane < std::ssize(g_.rowsOfPlanes) * planesAcross; ++plane) {
    const int64_t y = g_.rowsOfPlanes[static_cast<size_t>(plane / planesAcross)];
    const int64_t x = g_.columnsOfPlanes[static_cast<size_t>(plane % planesAcross)];
    const Index begin =
        unit.number * elements(g_.unitBytes(rows_)) + plane * elements(g_.planeBytes(rows_));
    b_.forLoop("row", 0, kir::looseNumber(b_, g_.planeRows(rows_)), [&](const Index& row) {
      const Index to = begin + row * (g_.columns * elements(g_.columnBytes));
      const Index h = (unit.firstRow + row) * p_.strides[1] + (y - p_.padsBegin[1]);
      b_.ifElse((h >= Index(0)) & (h < kir::looseNumber(b_, p_.in[1])),
                [&] {
                  writeRow({to, source + h * (p_.in[2] * block_), unit.blocks, unit.isPartial},
                           x - p_.padsBegin[2]);
                },
                [&] { fill(to, 0, kir::looseNumber(b_, cellsInRow())); });
    });
  }
}

/// A row of a plane, whose first pixel is number `firstColumn` of the row of the input.
void TileCopy::writeRow(const Pixels& row, int64_t firstColumn) {
  if (g_.kind == TileRow::Window) return writeWindows(row);
  // Of pixels in the input.
  const int64_t distance = g_.kind == TileRow::Pixels ? 1 : p_.strides[2];
  const auto firstFrom = [&](int64_t column) {
    return std::clamp<int64_t>(ceilDiv(std::max<int64_t>(0, column - firstColumn), distance), 0,
                               cellsInRow());
  };
  const int64_t begin = firstFrom(0), end = std::max(begin, firstFrom(p_.in[2]));
  fill(row.to, 0, begin);
  const auto at = [&](const Index& pixel) {
    return Pixels{row.to + pixel * elements(g_.pixelBytes),
                  row.from + (pixel * distance + firstColumn) * block_, row.blocks, row.isPartial};
  };
  // As many pixels as fill 64 bytes with those of a block.
  const bool isWhole = g_.kind == TileRow::Pixels ? row.blocks == 1 : row.blocks == blocksPerUnit();
  const int64_t together = distance == 1 && isWhole ? elements(kTileBytes) / block_ : 1;
  const int64_t whole = begin + (end - begin) / together * together;
  const Index middle = kir::looseNumber(b_, whole), last = kir::looseNumber(b_, end);
  b_.forLoop("pixel", begin, middle, together,
             [&](const Index& pixel) { writePixels(at(pixel), together); });
  b_.forLoop("pixel", middle, last, [&](const Index& pixel) { writePixels(at(pixel), 1); });
  fill(row.to, last, kir::looseNumber(b_, cellsInRow()));
}

/// What the windows of a row of the result have of one row of the input.
void TileCopy::writeWindows(const Pixels& row) {
  const int64_t taps = p_.kernel[2], size = elements(kTileBytes);
  const auto firstPixel = [&](int64_t column) { return column * p_.strides[2] - p_.padsBegin[2]; };
  int64_t begin = 0, end = g_.columns; // of windows that are inside
  while (begin < end && firstPixel(begin) < 0) ++begin;
  while (end > begin && firstPixel(end - 1) + taps > p_.in[2]) --end;
  const auto border = [&](int64_t column) {
    storeCell(row.to + column * size, windowAt(row, firstPixel(column)), row.isPartial);
  };
  for (int64_t column = 0; column < begin; ++column) border(column);
  const Value zero = b_.zero({pixel_, static_cast<int>(size)});
  b_.forLoop("column", begin, kir::looseNumber(b_, end), [&](const Index& column) {
    const Index from = row.from + (column * p_.strides[2] - p_.padsBegin[2]) * block_;
    storeCell(row.to + column * size, b_.loadPartial(src_[from], Index(taps * block_), zero),
              row.isPartial);
  });
  for (int64_t column = end; column < g_.columns; ++column) border(column);
}

/// One whose pixels may be outside.
Value TileCopy::windowAt(const Pixels& row, int64_t firstPixel) {
  std::vector<Value> parts;
  for (int64_t tap = 0; tap < elements(kTileBytes) / block_; ++tap) {
    const int64_t pixel = firstPixel + tap;
    const bool isInside = tap < p_.kernel[2] && pixel >= 0 && pixel < p_.in[2];
    parts.push_back(isInside ? b_.load(src_[row.from + pixel * block_], int(block_))
                             : b_.zero({pixel_, int(block_)}));
  }
  return joined(b_, std::move(parts));
}

void TileCopy::storeCell(const Index& to, const Value& cell, bool isPartial) {
  b_.store(copy_[to], isPartial ? withoutPadding(cell) : cell);
}

void TileCopy::fill(const Index& to, const Index& begin, const Index& end) {
  const int64_t size = elements(g_.cellBytes);
  const auto zero = b_.constantInt({pixel_, static_cast<int>(size)}, zero_);
  b_.forLoop("pixel", begin, end,
             [&](const Index& pixel) { b_.store(copy_[to + pixel * size], zero); });
}

/// Neighbouring pixels, whose blocks of channels become neighbours.
void TileCopy::writePixels(const Pixels& pixels, int64_t count) {
  std::vector<Value> blocks;
  for (int64_t k = 0; k < pixels.blocks; ++k)
    blocks.push_back(b_.load(src_[pixels.from + k * (p_.inPixels() * block_)],
                             static_cast<int>(count * block_)));
  if (pixels.isPartial) blocks.back() = withoutPadding(blocks.back());
  const auto store = [&](int64_t offset, const Value& value) {
    b_.store(copy_[pixels.to + offset], value);
  };
  if (g_.kind == TileRow::Pixels) {
    for (int64_t k = 0; k < pixels.blocks; ++k) store(k * block_, blocks[static_cast<size_t>(k)]);
    return;
  }
  blocks.resize(static_cast<size_t>(blocksPerUnit()),
                b_.zero({pixel_, static_cast<int>(count * block_)}));
  if (count > 1) {
    transposeBlocks(blocks);
    for (int64_t i = 0; i < count; ++i)
      store(i * elements(g_.pixelBytes), blocks[static_cast<size_t>(i)]);
    return;
  }
  store(0, joined(b_, std::move(blocks)));
}

/// From one vector a block, of as many pixels as there are blocks, to one vector a pixel: every
/// stage interleaves the vectors of the first half with those of the second.
void TileCopy::transposeBlocks(std::vector<Value>& vectors) {
  const int lanes = vectors.front().lanes(), unit = static_cast<int>(block_);
  const auto interleaved = [&](const Value& a, const Value& b, int begin) {
    std::vector<int> mask;
    for (int at = begin; at < begin + lanes / 2; at += unit)
      for (const int first : {at, lanes + at})
        for (int i = 0; i < unit; ++i) mask.push_back(first + i);
    return b_.shuffle(a, b, mask);
  };
  const size_t half = vectors.size() / 2;
  for (size_t stage = 1; stage < vectors.size(); stage *= 2) {
    std::vector<Value> next;
    for (size_t k = 0; k < half; ++k)
      for (const int begin : {0, lanes / 2})
        next.push_back(interleaved(vectors[k], vectors[k + half], begin));
    vectors = std::move(next);
  }
}

/// What fills up the last block may be anything, of bf16 also what no weight makes zero.
Value TileCopy::withoutPadding(const Value& blocks) {
  const kir::Type type = {kir::Scalar::I16, blocks.lanes()};
  const Value channel = b_.iota(type) & b_.constantInt(type, block_ - 1);
  return b_.select(channel < b_.constantInt(type, p_.cin % block_), blocks, b_.zero(blocks.type()));
}

} // namespace enfold::lower
