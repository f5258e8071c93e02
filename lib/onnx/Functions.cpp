// Lookup of functions, and the fields of newer IR versions.
#include "onnx/Functions.h"

#include <fmt/format.h>
#include <google/protobuf/unknown_field_set.h>

namespace enfold::onnx {
namespace {

// Numbers of fields in onnx.proto of IR version 10.
constexpr int kNodeOverload = 8;
constexpr int kFunctionOverload = 13;
constexpr int kFunctionDefaults = 11;

/// The values of a length-delimited field among fields unknown to the generated classes.
std::vector<std::string> unknownField(const google::protobuf::UnknownFieldSet& unknown,
                                      int number) {
  std::vector<std::string> values;
  for (int i = 0; i < unknown.field_count(); ++i) {
    const google::protobuf::UnknownField& field = unknown.field(i);
    if (field.number() == number &&
        field.type() == google::protobuf::UnknownField::TYPE_LENGTH_DELIMITED)
      values.push_back(field.length_delimited());
  }
  return values;
}

template <typename Proto> std::string overloadOf(const Proto& proto, int number) {
  const auto values = unknownField(proto.unknown_fields(), number);
  return values.empty() ? std::string() : values.back();
}

std::string key(const std::string& domain, const std::string& name, const std::string& overload) {
  return fmt::format("{}\n{}\n{}", canonicalDomain(domain), name, overload);
}

} // namespace

std::string canonicalDomain(const std::string& domain) {
  return domain == "ai.onnx" ? std::string() : domain;
}

Functions::Functions(const pb::ModelProto& model) {
  for (const auto& proto : model.functions()) {
    Function function{&proto, {}};
    for (const std::string& bytes : unknownField(proto.unknown_fields(), kFunctionDefaults)) {
      pb::AttributeProto attr;
      if (attr.ParseFromString(bytes)) function.defaults.push_back(std::move(attr));
    }
    functions_.emplace(key(proto.domain(), proto.name(), overloadOf(proto, kFunctionOverload)),
                       std::move(function));
  }
}

const Function* Functions::find(const pb::NodeProto& call) const {
  if (functions_.empty()) return nullptr;
  const auto it =
      functions_.find(key(call.domain(), call.op_type(), overloadOf(call, kNodeOverload)));
  return it == functions_.end() ? nullptr : &it->second;
}

} // namespace enfold::onnx
