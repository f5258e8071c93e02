// Lookup of functions.
#include "onnx/Functions.h"

#include <fmt/format.h>

namespace enfold::onnx {
namespace {

std::string key(const std::string& domain, const std::string& name, const std::string& overload) {
  return fmt::format("{}\n{}\n{}", canonicalDomain(domain), name, overload);
}

} // namespace

std::string canonicalDomain(const std::string& domain) {
  return domain == "ai.onnx" ? std::string() : domain;
}

Functions::Functions(const pb::ModelProto& model) {
  for (const auto& proto : model.functions())
    functions_.emplace(key(proto.domain(), proto.name(), proto.overload()), &proto);
}

const pb::FunctionProto* Functions::find(const pb::NodeProto& call) const {
  if (functions_.empty()) return nullptr;
  const auto it = functions_.find(key(call.domain(), call.op_type(), call.overload()));
  return it == functions_.end() ? nullptr : it->second;
}

} // namespace enfold::onnx
