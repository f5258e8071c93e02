// The block that MobileNetV3 and EfficientNet share: a 1x1 convolution that widens, a depthwise
// one, squeeze-and-excitation (Hu et al., CVPR 2018), and a 1x1 convolution that narrows.
#pragma once

#include "zoo/Network.h"

namespace enfold::zoo {

struct InvertedResidual {
  int64_t kernel;
  int64_t expanded; ///< channels within; there is no widening convolution if the input has as many
  int64_t out;
  int64_t squeezed; ///< channels within the squeeze-and-excitation; 0: there is none
  Activation activation;
  int64_t stride;
};

/// What all blocks of a network have in common.
struct BlockStyle {
  Activation squeezeActivation;
  OpKind gate; ///< Sigmoid or HardSigmoid
  float epsilon = 1e-5f;
};

/// The block in the present module. The input is added to the result where the shapes agree.
Value* invertedResidual(Network& net, Value* x, const InvertedResidual& block,
                        const BlockStyle& style);

} // namespace enfold::zoo
