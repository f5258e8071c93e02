// The one place that includes the classes generated from ONNX's schema. Only sources of this room
// include it; inside enfold::onnx they are reached as pb::ModelProto and so on.
#pragma once

#include <enfold/onnx-schema.pb.h>

namespace enfold::onnx {

namespace pb = ::enfold::schema;

} // namespace enfold::onnx
