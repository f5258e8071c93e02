// The functions a model defines for itself (FunctionProto), to be inlined where they are called.
#pragma once

#include "onnx/Proto.h"

#include <map>
#include <string>

namespace enfold::onnx {

class Functions {
public:
  explicit Functions(const pb::ModelProto& model);

  /// The function a node calls; null if it calls none.
  const pb::FunctionProto* find(const pb::NodeProto& call) const;

private:
  std::map<std::string, const pb::FunctionProto*> functions_; ///< by domain, name and overload
};

/// "" for the domain of ONNX itself, which has two names.
std::string canonicalDomain(const std::string& domain);

} // namespace enfold::onnx
