// The order of a convolution's iterations, each of which computes some rows of the result for a
// group of output channels.
#pragma once

#include "kernel/Builder.h"
#include "kernel/LooseRanges.h"
#include "kernel/Machine.h"

#include <span>
#include <string_view>
#include <vector>

namespace enfold::lower {

/// What the iterations of a convolution go over, and how much all of them read.
struct ConvIterations {
  std::vector<int64_t> rows; ///< extents: images, then rows
  std::vector<std::string_view> rowNames;
  int64_t groups, blocks; ///< of output channels, the latter in each group
  int64_t inputBytes, weightBytes;
};

/// Whether an iteration is followed by that of the next rows, not of the next channels: the weights
/// do not stay in the second-level cache until the next rows read them, but the input does.
inline bool readsWeightsOnce(const ConvIterations& all, const kir::Machine& machine) {
  const int64_t cache = machine.l2.share() / 2;
  return !kir::LooseRanges::areWanted() && all.weightBytes > cache && all.inputBytes <= cache;
}

/// The kernel's parallel loop: body(rows, channels), the latter being the group and the blocks. Of
/// the rows those in `varying` may have any extent where loose ranges are wanted.
template <typename F>
void parallelRows(kir::Builder& b, const ConvIterations& all, const kir::Machine& machine,
                  std::initializer_list<size_t> varying, F&& body) {
  std::vector<int64_t> extents = {all.groups, all.blocks};
  std::vector<std::string_view> names = {"g", "kb"};
  const bool channelsFirst = readsWeightsOnce(all, machine);
  extents.insert(channelsFirst ? extents.end() : extents.begin(), all.rows.begin(), all.rows.end());
  names.insert(channelsFirst ? names.end() : names.begin(), all.rowNames.begin(),
               all.rowNames.end());
  if (channelsFirst)
    b.parallelGrid(extents, names,
                   [&](std::span<const kir::Index> at) { body(at.subspan(2), at.first(2)); });
  else
    b.parallelGrid(extents, names, varying, [&](std::span<const kir::Index> at) {
      body(at.first(all.rows.size()), at.last(2));
    });
}

} // namespace enfold::lower
