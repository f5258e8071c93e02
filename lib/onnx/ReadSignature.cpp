// Reading the declarations of a model, from a file, from bytes or parsed.
#include "onnx/ReadSignature.h"

#include "onnx/Functions.h"
#include "onnx/NodeOrder.h"
#include "onnx/OperatorTable.h"
#include "onnx/ParseModel.h"
#include "onnx/TensorCodec.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <unordered_set>

namespace enfold::onnx {
namespace {

std::string_view kindOfValue(const pb::TypeProto& type) {
  if (type.has_sequence_type()) return "a sequence";
  if (type.has_map_type()) return "a map";
  if (type.has_optional_type()) return "an optional value";
  if (type.has_sparse_tensor_type()) return "a sparse tensor";
  return "of no stated type";
}

/// Whatever the declaration is of: what cannot be computed with is refused by the import alone.
DeclaredTensor readTensor(const pb::ValueInfoProto& info) {
  auto type = readBoundaryType(info);
  return {info.name(), type ? *std::move(type) : DeclaredType()};
}

/// The nodes of the main graph that are needed and that no adapter takes.
std::vector<Diag> unsupportedNodes(const pb::ModelProto& model,
                                   const std::map<std::string, int64_t>& opsets) {
  const Functions functions(model);
  const auto needed = namesNeeded(model.graph());
  std::vector<Diag> found;
  int index = 0;
  for (const auto& node : model.graph().node()) {
    const int number = index++;
    if (!isNeeded(node, needed)) continue;
    const std::string domain = canonicalDomain(node.domain());
    if (functions.find(node) != nullptr || isStructural(domain, node.op_type())) continue;
    const auto known = opsets.find(domain);
    const int64_t opset = known == opsets.end() ? 1 : known->second;
    auto adapter = findAdapter(domain, node.op_type(), opset);
    if (adapter) continue;
    const std::string name =
        node.name().empty() ? fmt::format("{}_{}", node.op_type(), number) : node.name();
    for (Diag& diag : adapter.error().diags) {
      diag.node = fmt::format("{}{}{} '{}' (opset {})", domain, domain.empty() ? "" : ":",
                              node.op_type(), name, opset);
      found.push_back(std::move(diag));
    }
  }
  return found;
}

} // namespace

Result<DeclaredType> readType(const pb::ValueInfoProto& info) {
  if (!info.type().has_tensor_type())
    return failure(ErrorCode::UnsupportedType,
                   fmt::format("it is {}, not a tensor", kindOfValue(info.type())));
  const auto& tensor = info.type().tensor_type();
  DeclaredType type;
  ENFOLD_TRY(type.elem, decodeElemType(tensor.elem_type()));
  if (!tensor.has_shape()) return type;
  type.dims.emplace();
  for (const auto& proto : tensor.shape().dim()) {
    DeclaredType::Dim dim;
    if (proto.has_dim_value() && proto.dim_value() != -1) {
      if (proto.dim_value() < 0)
        return failure(ErrorCode::ShapeMismatch,
                       fmt::format("it has a dimension of size {}", proto.dim_value()));
      dim.size = proto.dim_value();
    } else if (proto.has_dim_param()) {
      dim.symbol = proto.dim_param();
    }
    type.dims->push_back(std::move(dim));
  }
  return type;
}

Result<DeclaredType> readBoundaryType(const pb::ValueInfoProto& info) {
  using Kind = DeclaredType::Kind;
  const bool isOptional = info.type().has_optional_type();
  const pb::TypeProto& outer = isOptional ? info.type().optional_type().elem_type() : info.type();
  const bool isSequence = outer.has_sequence_type();
  pb::ValueInfoProto tensor;
  tensor.set_name(info.name());
  *tensor.mutable_type() = isSequence ? outer.sequence_type().elem_type() : outer;
  auto type = readType(tensor);
  if (!type && (isSequence || isOptional))
    return failure(ErrorCode::UnsupportedType,
                   fmt::format("it is {}, not of tensors of numbers", kindOfValue(info.type())));
  if (!type) return type;
  if (isSequence)
    type->kind = isOptional ? Kind::OptionalSequence : Kind::Sequence;
  else
    type->kind = isOptional ? Kind::OptionalTensor : Kind::Tensor;
  return type;
}

Signature readSignature(const pb::ModelProto& model) {
  const pb::GraphProto& graph = model.graph();
  Signature signature;
  std::unordered_set<std::string_view> initializers;
  for (const auto& tensor : graph.initializer()) initializers.insert(tensor.name());
  for (const auto& tensor : graph.sparse_initializer()) initializers.insert(tensor.values().name());
  for (const auto& input : graph.input()) {
    if (!initializers.contains(input.name()))
      signature.inputs.push_back(readTensor(input));
    else if (model.ir_version() >= 4) // before, an initializer was always an input as well
      signature.overridable.push_back(readTensor(input));
  }
  for (const auto& output : graph.output()) signature.outputs.push_back(readTensor(output));
  signature.graphName = graph.name();
  signature.graphDescription = graph.doc_string();
  signature.producer = model.producer_name();
  signature.producerVersion = model.producer_version();
  signature.domain = model.domain();
  signature.description = model.doc_string();
  signature.modelVersion = model.model_version();
  signature.irVersion = model.ir_version();
  for (const auto& import : model.opset_import())
    signature.opsets.emplace(canonicalDomain(import.domain()), import.version());
  signature.unsupported = unsupportedNodes(model, signature.opsets);
  for (const auto& entry : model.metadata_props()) signature.metadata[entry.key()] = entry.value();
  return signature;
}

Result<Signature> readSignature(const std::filesystem::path& file, const ImportLimits& limits) {
  ENFOLD_TRY(const RegularFile opened, RegularFile::open(file));
  pb::ModelProto model;
  ENFOLD_RETURN_IF_ERROR(parseModel(opened, limits, model));
  return readSignature(model);
}

Result<Signature> readSignature(std::span<const std::byte> bytes, const ImportLimits& limits) {
  pb::ModelProto model;
  ENFOLD_RETURN_IF_ERROR(parseModel(bytes, limits, model));
  return readSignature(model);
}

} // namespace enfold::onnx
