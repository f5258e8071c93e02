// The declarations of a parsed model.
#pragma once

#include "onnx/Proto.h"
#include "onnx/Signature.h"

namespace enfold::onnx {

/// Reads the declaration of a tensor; other kinds of values are refused.
Result<DeclaredType> readType(const pb::ValueInfoProto& info);

/// Reads the declaration of an input or output of a model, which may be a sequence or optional.
Result<DeclaredType> readBoundaryType(const pb::ValueInfoProto& info);

Signature readSignature(const pb::ModelProto& model);

} // namespace enfold::onnx
