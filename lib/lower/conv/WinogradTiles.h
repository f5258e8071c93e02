// Where the tiles of a Winograd convolution lie, and which pixels they read.
#pragma once

#include "lower/conv/Polyphase.h"
#include "lower/conv/WinogradTransform.h"

namespace enfold::lower {

struct WinogradTile {
  kir::Index image, plane, y,
      x; ///< plane: of the input or the result; y, x: its first output pixel
};

class WinogradTiles {
public:
  /// The pixels of the op's input that a tile begins with in a block of channels of some phase.
  struct Source {
    int64_t blocks;   ///< of the op's input
    kir::Index block; ///< among them
    kir::Index y, x;  ///< of the first pixel
    int64_t stepY, stepX;
  };
  /// Where a block of channels of a pixel is, or of the nearest one inside the image.
  struct Pixel {
    kir::Index element;
    kir::Condition isInside;
  };

  /// For blocks of `lanes` channels. The arguments must outlive it.
  WinogradTiles(const Polyphase& phases, const WinogradTransforms& w, int64_t lanes);

  int64_t stepY() const { return stepY_; } ///< between the pixels of a tile
  int64_t stepX() const { return stepX_; }
  /// Blocks of channels of the problem's input.
  int64_t inputBlocks() const { return blocks_; }

  /// Of a plane, which is numbered through all images, each of `planes`.
  WinogradTile at(const kir::Index& plane, int64_t planes, const kir::Index& tile) const;
  Source sourceOf(const WinogradTile& tile, const kir::Index& channelBlock) const;
  Pixel pixelAt(const WinogradTile& tile, const kir::Index& plane, const kir::Index& channelBlock,
                const kir::Index& i, const kir::Index& j) const;

private:
  const Polyphase& phases_;
  const WinogradTransforms& w_;
  const int64_t lanes_, blocks_;
  const int64_t stepY_, stepX_;
  const int64_t tilesX_, tilesY_;
};

} // namespace enfold::lower
