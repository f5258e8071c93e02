// The functions a model defines for itself (FunctionProto), to be inlined where they are called.
//
// The generated classes know IR version 8. What later versions added here, overloads and defaults
// of attributes, is read from the fields the parser kept without knowing them.
#pragma once

#include "onnx/Proto.h"

#include <map>
#include <string>
#include <vector>

namespace enfold::onnx {

struct Function {
  const pb::FunctionProto* proto = nullptr;
  std::vector<pb::AttributeProto> defaults; ///< of attributes a call may leave out
};

class Functions {
public:
  explicit Functions(const pb::ModelProto& model);

  /// The function a node calls; null if it calls none.
  const Function* find(const pb::NodeProto& call) const;

private:
  std::map<std::string, Function> functions_; ///< by domain, name and overload
};

/// "" for the domain of ONNX itself, which has two names.
std::string canonicalDomain(const std::string& domain);

} // namespace enfold::onnx
