// What the adapters of com.microsoft share.
#pragma once

#include "onnx/Node.h"

namespace enfold::onnx {

/// The last two dimensions of x swapped.
Result<Value*> transposedMatrix(Node& node, Value* x);
/// [batch, pixels ..., channels] as [batch, channels, pixels ...].
Result<Value*> channelsFirst(Node& node, Value* x);
/// The node's result is y with its channels last.
Result<Values> finishChannelsLast(Node& node, Value* y);

} // namespace enfold::onnx
