// Groups of a convolution on channel-blocked tensors: neighbours are computed together, so that
// every group of what is computed fills whole blocks.
#pragma once

#include "lower/window/WindowProblem.h"

#include <vector>

namespace enfold::lower {

/// Channels of a tensor in memory, with the padding of a blocked layout.
int64_t storedChannels(const Type& type);

/// Whether no group's channels lie in more than one block, and results lie as inputs do.
bool staysWithinBlocks(const WindowProblem& problem, int block);

/// Neighbouring groups of a convolution, computed as one problem.
struct GroupRun {
  int64_t first; ///< group of the whole convolution
  int64_t merge; ///< of its groups in a group of the problem
  WindowProblem problem;

  /// Channels of the op's own input and result in front of the run.
  int64_t firstInput() const { return first * (problem.cinPerGroup() / merge); }
  int64_t firstOutput() const { return first * (problem.coutPerGroup() / merge); }
};
/// As few groups merged into one as fill whole blocks of channels, of `inputBlock` and of
/// `resultBlock`, and those that are left over merged into one last group. Every run begins with a
/// block, of inputs and of results.
std::vector<GroupRun> mergedGroups(const WindowProblem& problem, int64_t inputBlock,
                                   int64_t resultBlock);
/// The same for the blocks of the op's own layouts; plain inputs count as blocked like results.
std::vector<GroupRun> mergedGroups(const WindowProblem& problem, const Op& op);

} // namespace enfold::lower
