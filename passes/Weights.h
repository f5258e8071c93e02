// The weights of linear ops, seen channel by channel: what folding into them needs to know.
#pragma once

#include "passes/Pass.h"
#include "passes/ScaleShift.h"

namespace enfold {

/// True for conv, conv_transpose, gemm and matmul.
bool isLinear(OpKind kind);

/// Axis of its operand that a batch normalization takes for channels.
int64_t channelAxis(const Op& batchNorm);

/// Axis of the op's result that its output channels lie along.
int64_t outputChannelAxis(const Op& op);

/// All elements of the tensor.
std::vector<double> doublesOf(const Tensor& tensor);

/// The output channel that each element of the weights belongs to, and the input channel, of the
/// op's operand.
std::vector<uint32_t> outputChannels(const Op& op);
std::vector<uint32_t> inputChannels(const Op& op);

/// What folding found out about the numbers it made. The folded op's result differs from that of
/// the exact weights by at most boundPerInput * max|x| + boundConstant (docs/numerics.md).
struct FoldedNumbers {
  int64_t channels = 0;
  int64_t denormals = 0;    ///< weights below the normal range, flushed unless they are to be kept
  int64_t deadChannels = 0; ///< output channels all of whose weights are zero
  double boundPerInput = 0;
  double boundConstant = 0;
};

/// Rounds weights to the element type of `like`, once, flushing as the options say. Fails when one
/// does not stay finite.
OrRefusal<Tensor> roundedWeights(std::vector<double> numbers, const Tensor& like,
                                 const PassOptions& options, FoldedNumbers& found);
/// The same for biases.
OrRefusal<Tensor> roundedBiases(std::vector<double> numbers, ElemType elem,
                                const PassOptions& options, FoldedNumbers& found);

/// Finds dead channels and the bound of rounded weights; `output` is each weight's output channel.
void measureWeights(const Tensor& weights, std::span<const uint32_t> output, int64_t channels,
                    FoldedNumbers& found);

/// "; 2 dead channels; 5 denormal weights flushed", empty when there is nothing to tell.
std::string describe(const FoldedNumbers& found, const PassOptions& options);

/// The facts for a remark.
RemarkFacts numbersOf(const FoldedNumbers& found, const Op& folded);

} // namespace enfold
