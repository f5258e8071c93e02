// Tiles whose numbers are of very different magnitudes. A transform mixes all pixels of a tile: one
// that is not finite would spread to every output, and beside a very large one the others would be
// rounded away. The outputs of such a tile are summed over their windows, with the weights as they
// are.
#pragma once

#include "lower/Lowering.h"
#include "lower/conv/FloatWeights.h"
#include "lower/conv/WinogradTiles.h"
#include "lower/window/Tiles.h"

namespace enfold::lower {

/// The bits of |x| as an integer, which order magnitudes: NaN is above infinity.
inline constexpr int64_t kMagnitudeBits = 0x7fffffff;

/// Calls use(filters) with the weights as those of the problem.
template <typename Use> void withFilters(const Polyphase& phases, const Tensor& weights, Use use) {
  const FloatWeights values(weights);
  if (phases.isPhased())
    use(phases.filters(values.data()).data());
  else
    use(values.data());
}
/// Tells apart what use() is called with, for the same weights.
inline std::string filtersKey(const Polyphase& phases) {
  return phases.isPhased() ? phases.key() : "";
}

class WinogradWindows {
public:
  /// The arguments must outlive it.
  WinogradWindows(const Op& op, const Polyphase& phases, const WinogradTransforms& w,
                  const WinogradTiles& tiles);

  /// What isUneven() needs.
  void declareMagnitudes(kir::Builder& b) {
    magnitudes_ = b.local("magnitudes", kir::Scalar::I32, w_.y.tile * w_.x.tile);
  }
  /// The kernel's next input, for sum().
  void declareFilters(kir::Builder& b, std::vector<BufferRef>& buffers, Lowering& lowering);

  /// Whether a tile of the input at `src` is to be summed so.
  kir::Value isUneven(kir::Builder& b, const kir::Buffer& src, const WinogradTile& tile) const;
  /// The outputs of a tile in a block of channels, to `pixels`: of the taps `depth` of the window.
  void sum(kir::Builder& b, const kir::Buffer& src, const kir::Buffer& pixels,
           const TapRange& depth, const WinogradTile& tile, const kir::Index& channelBlock) const;

private:
  int64_t numFilterWeights() const;
  BufferRef packedFilters(Lowering& lowering) const;

  const Op& op_;
  const Polyphase& phases_;
  const WinogradTransforms& w_;
  const WinogradTiles& tiles_;
  const int64_t lanes_, cin_; ///< cin_: blocks of input channels
  std::optional<kir::Buffer> magnitudes_, filters_;
};

} // namespace enfold::lower
