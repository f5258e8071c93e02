// How many channels a block has in a model with operators of com.microsoft.nchwc. ONNX Runtime's
// optimizer lays out weights for the processor it runs on, and does not write down for which.
#pragma once

#include "onnx/Proto.h"

#include <cstdint>

namespace enfold::onnx {

/// 8 where some padded count of channels says so, or else what ONNX Runtime takes on this
/// processor; 0 if the graph has no such operator.
int64_t nchwcBlockOf(const pb::GraphProto& graph);

} // namespace enfold::onnx
