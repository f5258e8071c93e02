// JSON: the form in which every value of this room is written, and read by other programs.
#pragma once

#include "driver/Executable.h"

#include <nlohmann/json_fwd.hpp>

#include <span>
#include <string>

namespace enfold::diagnose {

/// Members keep the order in which they were added.
using Json = nlohmann::ordered_json;

/// On one line, or indented by `indent` spaces with each member on its own line. Bytes that are not
/// UTF-8, which names in model files may contain, become U+FFFD.
std::string jsonText(const Json& json, int indent = -1);

/// [{"name": "x", "elem": "f32", "shape": [1, 3, 224, 224]}, ...]
Json tensorsJson(std::span<const TensorSpec> tensors);

} // namespace enfold::diagnose
