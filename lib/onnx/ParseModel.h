// From a file or bytes to the classes that protobuf generates.
#pragma once

#include "onnx/Import.h"
#include "onnx/Proto.h"
#include "onnx/RegularFile.h"

namespace enfold::onnx {

/// Fails on what is over the limit for files and on what is not a model. Errors name no file.
Result<> parseModel(const RegularFile& file, const ImportLimits& limits, pb::ModelProto& model);
Result<> parseModel(std::span<const std::byte> bytes, const ImportLimits& limits,
                    pb::ModelProto& model);

} // namespace enfold::onnx
