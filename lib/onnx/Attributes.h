// ONNX AttributeProto to the attribute values of the IR.
#pragma once

#include "ir/Attribute.h"
#include "onnx/TensorCodec.h"

namespace enfold::onnx {

/// Decodes the attributes of a node that have a counterpart; graphs and the like are refused. Takes
/// tensor data out of the node.
Result<AttrMap> decodeAttributes(pb::NodeProto& node, ExternalData& external,
                                 const ImportLimits& limits);

void encodeAttribute(const std::string& name, const AttrValue& value, pb::NodeProto& node);

} // namespace enfold::onnx
