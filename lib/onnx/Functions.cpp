// Lookup of functions, and the fields of newer IR versions.
#include "onnx/Functions.h"

#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

namespace enfold::onnx {
namespace {

namespace wire = google::protobuf::internal;

// Numbers of fields in onnx.proto of IR version 10.
constexpr int kNodeOverload = 8;
constexpr int kFunctionOverload = 13;
constexpr int kFunctionDefaults = 11;

/// The values of a length-delimited field among fields unknown to the generated classes.
std::vector<std::string> unknownField(const std::string& unknown, int number) {
  std::vector<std::string> values;
  google::protobuf::io::CodedInputStream input(reinterpret_cast<const uint8_t*>(unknown.data()),
                                               static_cast<int>(unknown.size()));
  while (const uint32_t tag = input.ReadTag()) {
    const bool wanted = wire::WireFormatLite::GetTagFieldNumber(tag) == number &&
                        wire::WireFormatLite::GetTagWireType(tag) ==
                            wire::WireFormatLite::WIRETYPE_LENGTH_DELIMITED;
    std::string value;
    const bool good = wanted ? wire::WireFormatLite::ReadBytes(&input, &value)
                             : wire::WireFormatLite::SkipField(&input, tag);
    if (!good) break;
    if (wanted) values.push_back(std::move(value));
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
