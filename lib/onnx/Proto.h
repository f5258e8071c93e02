// The one place that includes the generated protobuf classes. Only sources of this room include it;
// inside enfold::onnx they are reached as pb::ModelProto and so on.
#pragma once

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include <onnx/onnx_pb.h>
#pragma GCC diagnostic pop

namespace enfold::onnx {

namespace pb = ::onnx;

/// Element type numbers newer than the generated classes are plain numbers in the file, so types
/// are always handled as ElemType; this one has no ElemType.
constexpr int kStringType = pb::TensorProto_DataType_STRING;

} // namespace enfold::onnx
