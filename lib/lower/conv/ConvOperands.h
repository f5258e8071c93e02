// What the kernels for channel-blocked convolutions share: how they read the input, and what they
// do with a sum before it is stored.
#pragma once

#include "lower/Epilogue.h"
#include "lower/conv/Groups.h"
#include "lower/quantize/Extremes.h"

#include <functional>

namespace enfold::lower {

/// The lanes of all of them, of which there are a power of two.
kir::Value joined(kir::Builder& b, std::vector<kir::Value> parts);

/// The number of a place in a grid, the last dimension fastest.
kir::Index numberOf(std::span<const kir::Index> at, std::span<const int64_t> extents);

/// An input in memory, blocked or plain, as a run of groups reads it.
struct ConvInput {
  ConvInput(const Type& type, const GroupRun& run);

  /// Where channel block `block` of a group of the run begins.
  kir::Index at(const kir::Index& image, const kir::Index& group, const kir::Index& block) const {
    return image * this->image + first_ + (group * blocks + block) * block_;
  }

  int64_t step;                   ///< channels in a block; of a group if plain
  int64_t blocks;                 ///< of a group
  int64_t channel;                ///< distance between channels of a block
  int64_t image;                  ///< between images
  WindowProblem::Spatial pixel{}; ///< distances along the spatial dimensions

private:
  int64_t first_, block_; ///< the first group; distance between blocks
};

/// Where a tile of sums belongs in the result: pixels are numbered row by row, and `step` apart.
/// Without an image they are numbered through all images.
struct ConvTile {
  std::optional<kir::Index> image;
  kir::Index firstBlock, firstPixel;
  int64_t blocks = 1, step = 1;
};

/// The result, channel-blocked, with the bias and the epilogue in front of it.
class ConvResult {
public:
  ConvResult(const Op& op, Lowering& lowering);

  /// Declares the bias and the epilogue's operands as the kernel's next parameters.
  void declareOperands(kir::Builder& b, std::vector<BufferRef>& buffers);
  /// The same, and the result.
  /// A kernel that stores tiles says how many vectors of sums these hold at most.
  void declare(kir::Builder& b, std::vector<BufferRef>& buffers, int64_t vectorsOfTile = 0);
  /// Of a block of channels; the bias comes last: begun with, a bias much larger than the products
  /// would round each of them.
  std::optional<kir::Value> bias(kir::Builder& b, const kir::Index& block) const;
  /// Lets sums of integers begin with begun().
  void joinSums() { epilogue_.joinSums(); }
  /// `sum`, with what the epilogue would add to it first.
  kir::Value begun(kir::Builder& b, const kir::Value& sum, const kir::Index& image,
                   const kir::Index& block) const {
    return epilogue_.begun(b, sum, BlockedPixel{image, block, 0});
  }
  /// See Epilogue.
  bool isLong() const { return epilogue_.isLong(); }
  /// What sum and bias become at a pixel, numbered row by row, in the result's compute scalar.
  kir::Value finished(kir::Builder& b, const kir::Value& sum, const std::optional<kir::Value>& bias,
                      const kir::Index& image, const kir::Index& block,
                      const kir::Index& pixel) const;
  /// Stores what sum and bias become at a pixel, numbered row by row. Without a bias, the sums may
  /// be those of as many pixels as are stored together, one behind the other.
  void store(kir::Builder& b, const kir::Value& sum, const std::optional<kir::Value>& bias,
             const kir::Index& image, const kir::Index& block, const kir::Index& pixel) const;
  /// Neighbouring pixels of a block that fill a vector of the result: their conversions to bytes,
  /// and their stores, are one. 1 where results are no bytes.
  int64_t pixelsTogether() const;
  /// Stores what the sums of a tile become: sums[pixel * tile.blocks + block].
  void store(kir::Builder& b, std::span<const kir::Var> sums, const ConvTile& tile) const;
  /// A pixel of a block.
  struct Pixel {
    kir::Index image, block, number;
  };
  /// Stores what the sums of `pixels` neighbours become, the first of which is given:
  /// sums(pixel, count) are those of `count` of them, one behind the other.
  void storeRow(kir::Builder& b,
                const std::function<kir::Value(const kir::Index& pixel, int64_t count)>& sums,
                const std::optional<kir::Value>& bias, const Pixel& first, int64_t pixels) const;
  /// Where kernels find the extremes of what they store, for the result's dynamic quantization,
  /// declares where the iterations leave them, behind the result.
  void measure(kir::Builder& b, std::vector<BufferRef>& buffers, int64_t iterations);
  /// The body of an iteration, all of what it stores.
  template <typename F> void iteration(kir::Builder& b, const kir::Index& number, F&& body) {
    begin(b);
    body();
    end(b, number);
  }
  const std::optional<PartialExtremes>& extremes() const { return found_; }
  /// Appends what makes a scale of those that the kernel, which is the only one, has found.
  void lowerScale() const;
  /// Arithmetic behind the sums.
  double flops() const;

private:
  void store(kir::Builder& b, const kir::Value& sum, const std::optional<kir::Value>& bias,
             const ConvTile& tile, const kir::Index& block, const kir::Index& pixel) const;

  void begin(kir::Builder& b);
  void end(kir::Builder& b, const kir::Index& number);
  void take(kir::Builder& b, const kir::Value& stored, const kir::Index& block) const;

  const Op& op_;
  Lowering& lowering_;
  const int64_t lanes_, blocks_;
  const Op* const quantizer_;
  std::optional<PartialExtremes> found_;
  std::optional<kir::Buffer> foundBuffer_;
  std::optional<Extremes> running_;
  Epilogue epilogue_;
  std::optional<kir::Buffer> bias_, dst_;
  std::optional<kir::Buffer> sums_; ///< of a tile, for a long epilogue
};

} // namespace enfold::lower
