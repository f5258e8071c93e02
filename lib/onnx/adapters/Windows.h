// Padding of sliding windows, for the adapters of convolutions and pools.
#pragma once

#include "onnx/Node.h"

namespace enfold::onnx {

/// Replaces auto_pad by the pads it stands for and leaves out pads that are all zero. The window is
/// the node's kernel_shape or that of the weights, operand `weights`, if it has any.
Result<> makePaddingExplicit(Node& node, std::optional<size_t> weights);

} // namespace enfold::onnx
