// Tiles are numbered row by row; those of dilated windows, lattice by lattice.
#include "lower/conv/WinogradTiles.h"

#include "kernel/LooseRanges.h"
#include "lower/LooseIndex.h"
#include "lower/conv/WinogradSchedule.h"

namespace enfold::lower {

using kir::Index;

namespace {

int64_t tilesAlong(const WindowProblem& p, size_t d, int64_t outputs) {
  const int64_t pixels = ceilDiv(p.out[d], stepOf(p, d)); // that a dilated window sees together
  return ceilDiv(pixels, outputs);
}

} // namespace

WinogradTiles::WinogradTiles(const Polyphase& phases, const WinogradTransforms& w, int64_t lanes)
    : phases_(phases), w_(w), lanes_(lanes), blocks_(ceilDiv(phases.problem.cin, lanes)),
      stepY_(stepOf(phases.problem, 1)), stepX_(stepOf(phases.problem, 2)),
      tilesX_(tilesAlong(phases.problem, 2, w.x.outputs)),
      tilesY_(tilesAlong(phases.problem, 1, w.y.outputs)) {}

WinogradTile WinogradTiles::at(const Index& plane, int64_t planes, const Index& tile) const {
  const WindowProblem& p = phases_.problem;
  // One of those that a dilated window sees, in all images.
  const bool isOneImage = p.batch == 1 && !kir::LooseRanges::areWanted();
  const bool isOnly = stepY_ * stepX_ == 1 && (isVolume(p) || isOneImage);
  const Index lattice = isOnly ? Index(0) : quotient(tile, tilesX_ * tilesY_);
  const Index row = isOnly ? quotient(tile, tilesX_) : remainder(quotient(tile, tilesX_), tilesY_);
  const Index y = row * (w_.y.outputs * stepY_) + lattice / stepX_ % stepY_;
  const Index x = remainder(tile, tilesX_) * (w_.x.outputs * stepX_) + lattice % stepX_;
  if (isVolume(p)) return {plane / planes, plane % planes, y, x};
  return {lattice / (stepY_ * stepX_), 0, y, x};
}

WinogradTiles::Source WinogradTiles::sourceOf(const WinogradTile& tile,
                                              const Index& channelBlock) const {
  const WindowProblem& p = phases_.problem;
  const auto& step = phases_.inputStep;
  Source source = {.blocks = blocks_ / (phases_.inputPhases[1] * phases_.inputPhases[2]),
                   .block = channelBlock,
                   .y = tile.y * step[1] - p.padsBegin[1],
                   .x = tile.x * step[2] - p.padsBegin[2],
                   .stepY = stepY_ * step[1],
                   .stepX = stepX_ * step[2]};
  if (source.blocks == blocks_) return source;
  const Index phase = channelBlock / source.blocks;
  source.block = channelBlock % source.blocks;
  source.y = source.y + phase / phases_.inputPhases[2];
  source.x = source.x + phase % phases_.inputPhases[2];
  return source;
}

WinogradTiles::Pixel WinogradTiles::pixelAt(const WinogradTile& tile, const Index& plane,
                                            const Index& channelBlock, const Index& i,
                                            const Index& j) const {
  const WindowProblem& p = phases_.problem;
  const Source source = sourceOf(tile, channelBlock);
  const Index y = source.y + i * source.stepY, x = source.x + j * source.stepX;
  const Index row = max(min(y, Index(p.in[1] - 1)), Index(0));
  const Index column = max(min(x, Index(p.in[2] - 1)), Index(0));
  const Index block = (tile.image * source.blocks + source.block) * p.in[0] + plane;
  return {((block * p.in[1] + row) * p.in[2] + column) * lanes_,
          (y >= Index(0)) & (y < Index(p.in[1])) & (x >= Index(0)) & (x < Index(p.in[2]))};
}

} // namespace enfold::lower
