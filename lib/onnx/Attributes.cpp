// The kinds of ONNX attributes, and how old files that leave the kind out are read.
#include "onnx/Attributes.h"

#include "support/ErrorCodes.h"

#include <fmt/format.h>

namespace enfold::onnx {
namespace {

using Proto = pb::AttributeProto;

/// The kind stated, or by which field is set.
pb::AttributeProto_AttributeType kindOfAttribute(const Proto& attr) {
  if (attr.type() != pb::AttributeProto_AttributeType_UNDEFINED) return attr.type();
  if (attr.has_f()) return pb::AttributeProto_AttributeType_FLOAT;
  if (attr.has_i()) return pb::AttributeProto_AttributeType_INT;
  if (attr.has_s()) return pb::AttributeProto_AttributeType_STRING;
  if (attr.has_t()) return pb::AttributeProto_AttributeType_TENSOR;
  if (attr.has_g()) return pb::AttributeProto_AttributeType_GRAPH;
  if (attr.has_sparse_tensor()) return pb::AttributeProto_AttributeType_SPARSE_TENSOR;
  if (attr.floats_size() > 0) return pb::AttributeProto_AttributeType_FLOATS;
  if (attr.ints_size() > 0) return pb::AttributeProto_AttributeType_INTS;
  if (attr.strings_size() > 0) return pb::AttributeProto_AttributeType_STRINGS;
  return pb::AttributeProto_AttributeType_UNDEFINED;
}

Result<AttrValue> decodeAttribute(Proto& attr, ExternalData& external, const ImportLimits& limits) {
  switch (kindOfAttribute(attr)) {
  case pb::AttributeProto_AttributeType_FLOAT:
    return attr.f();
  case pb::AttributeProto_AttributeType_INT:
    return attr.i();
  case pb::AttributeProto_AttributeType_STRING:
    return attr.s();
  case pb::AttributeProto_AttributeType_INTS:
    return std::vector<int64_t>(attr.ints().begin(), attr.ints().end());
  case pb::AttributeProto_AttributeType_FLOATS:
    return std::vector<float>(attr.floats().begin(), attr.floats().end());
  case pb::AttributeProto_AttributeType_TENSOR:
    return decodeTensor(*attr.mutable_t(), external, limits);
  case pb::AttributeProto_AttributeType_SPARSE_TENSOR:
    return decodeSparseTensor(*attr.mutable_sparse_tensor(), external, limits);
  case pb::AttributeProto_AttributeType_GRAPH:
  case pb::AttributeProto_AttributeType_GRAPHS:
    return unsupported("operators with subgraphs are not supported");
  case pb::AttributeProto_AttributeType_STRINGS:
    return std::vector<std::string>(attr.strings().begin(), attr.strings().end());
  default:
    return unsupported("its kind is not supported");
  }
}

} // namespace

Result<AttrMap> decodeAttributes(pb::NodeProto& node, ExternalData& external,
                                 const ImportLimits& limits) {
  AttrMap attrs;
  for (auto& attr : *node.mutable_attribute()) {
    auto value = decodeAttribute(attr, external, limits);
    if (!value) {
      for (Diag& diag : value.error().diags)
        diag.message = fmt::format("attribute '{}': {}", attr.name(), diag.message);
      return std::unexpected(std::move(value).error());
    }
    if (!attrs.emplace(attr.name(), *std::move(value)).second)
      return failure(ErrorCode::BadAttribute,
                     fmt::format("it has the attribute '{}' twice", attr.name()));
  }
  return attrs;
}

void encodeAttribute(const std::string& name, const AttrValue& value, pb::NodeProto& node) {
  auto& attr = *node.add_attribute();
  attr.set_name(name);
  switch (kindOf(value)) {
  case AttrKind::Int:
    attr.set_type(pb::AttributeProto_AttributeType_INT);
    attr.set_i(std::get<int64_t>(value));
    break;
  case AttrKind::Float:
    attr.set_type(pb::AttributeProto_AttributeType_FLOAT);
    attr.set_f(std::get<float>(value));
    break;
  case AttrKind::String:
    attr.set_type(pb::AttributeProto_AttributeType_STRING);
    attr.set_s(std::get<std::string>(value));
    break;
  case AttrKind::Ints:
    attr.set_type(pb::AttributeProto_AttributeType_INTS);
    for (int64_t item : std::get<std::vector<int64_t>>(value)) attr.add_ints(item);
    break;
  case AttrKind::Floats:
    attr.set_type(pb::AttributeProto_AttributeType_FLOATS);
    for (float item : std::get<std::vector<float>>(value)) attr.add_floats(item);
    break;
  case AttrKind::Strings:
    attr.set_type(pb::AttributeProto_AttributeType_STRINGS);
    for (const std::string& item : std::get<std::vector<std::string>>(value))
      attr.add_strings(item);
    break;
  case AttrKind::Tensor:
    attr.set_type(pb::AttributeProto_AttributeType_TENSOR);
    encodeTensor(std::get<Tensor>(value), "", *attr.mutable_t());
    break;
  case AttrKind::Type:
    attr.set_type(pb::AttributeProto_AttributeType_INT);
    attr.set_i(static_cast<int64_t>(std::get<ElemType>(value)));
    break;
  }
}

} // namespace enfold::onnx
