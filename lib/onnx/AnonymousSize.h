// Names of sizes that name nothing.
#pragma once

#include <string_view>

namespace enfold::onnx {

/// Whether exporters write this name for any unknown dimension: two of them need not be equal.
inline bool isAnonymous(std::string_view symbol) {
  return symbol.empty() || symbol == "?" || symbol == "None" || symbol == "-1";
}

} // namespace enfold::onnx
