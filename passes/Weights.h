// The weights of linear ops, seen channel by channel: what folding into them needs to know.
#pragma once

#include "passes/Pass.h"
#include "passes/ScaleShift.h"

namespace enfold {

/// True for conv, conv_transpose, gemm and matmul.
bool isLinear(OpKind kind);

/// Axis of the op's result that its output channels lie along.
int64_t outputChannelAxis(const Op& op);

/// Output and input channel (of the op's operand) that element i of the weights belongs to.
struct WeightChannels {
  std::vector<int64_t> output, input;
};
WeightChannels weightChannels(const Op& op);

/// What folding found out about the numbers it made.
struct FoldedNumbers {
  int64_t denormals = 0;    ///< weights below the normal range, flushed unless they are to be kept
  int64_t deadChannels = 0; ///< output channels all of whose weights are zero
};

/// Rounds numbers to the weights' element type, once, flushing as the options say. Fails when one
/// does not stay finite.
OrRefusal<Tensor> roundedWeights(std::span<const double> numbers, const Tensor& like,
                                 const PassOptions& options, FoldedNumbers& found);

} // namespace enfold
