// Branches, loops and functions on data at hand: their bodies are procedures, which the caller
// runs.
#include "onnx/Attributes.h"
#include "onnx/NodeProcedure.h"
#include "onnx/ScanAttributes.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace enfold::onnx {
namespace {

/// Elements in front of an axis, and bytes of all behind it.
struct Strides {
  size_t outer = 1, inner = 1;

  Strides(const Shape& shape, size_t axis, ElemType elem) : inner(byteSize(elem)) {
    for (size_t d = 0; d < axis; ++d) outer *= static_cast<size_t>(shape[d]);
    for (size_t d = axis; d < shape.size(); ++d) inner *= static_cast<size_t>(shape[d]);
  }
};

/// Tensors of one type along a new axis.
Result<Tensor> stacked(std::span<const Tensor> rows, int64_t axis) {
  const Type& type = rows.front().type();
  ENFOLD_TRY(const int64_t along, normalizeAxis(axis, type.rank() + 1));
  for (const Tensor& row : rows)
    if (row.type() != type)
      return invalid(fmt::format("its iterations give {} and {}", type.str(), row.type().str()));
  Shape shape = type.shape;
  shape.insert(shape.begin() + along, static_cast<int64_t>(rows.size()));
  ENFOLD_RETURN_IF_ERROR(checkShape(shape, type.elem));
  Tensor all(type.elem, shape);
  const Strides part(type.shape, static_cast<size_t>(along), type.elem);
  if (all.numBytes() == 0) return all;
  std::byte* to = all.mutableBytes();
  for (size_t i = 0; i < rows.size(); ++i)
    for (size_t o = 0; o < part.outer; ++o)
      std::memcpy(to + (o * rows.size() + i) * part.inner, rows[i].bytes() + o * part.inner,
                  part.inner);
  return all;
}

/// Part `i` of a tensor along an axis, without it.
Tensor partOf(const Tensor& x, size_t axis, int64_t i) {
  Shape shape = x.shape();
  const auto length = static_cast<size_t>(shape[axis]);
  shape.erase(shape.begin() + static_cast<ptrdiff_t>(axis));
  Tensor part(x.elem(), shape);
  const Strides strides(shape, axis, x.elem());
  if (part.numBytes() == 0) return part;
  std::byte* to = part.mutableBytes();
  for (size_t o = 0; o < strides.outer; ++o)
    std::memcpy(to + o * strides.inner,
                x.bytes() + (o * length + static_cast<size_t>(i)) * strides.inner, strides.inner);
  return part;
}

/// The rows of a loop without iterations: sizes that the declaration leaves open are 0.
Result<Tensor> noRows(const pb::ValueInfoProto& declared, int64_t axis) {
  ENFOLD_TRY(const DeclaredType type, readType(declared));
  Shape shape;
  if (type.dims)
    for (const auto& dim : *type.dims) shape.push_back(dim.size.value_or(0));
  ENFOLD_TRY(const int64_t along, normalizeAxis(axis, static_cast<int64_t>(shape.size()) + 1));
  shape.insert(shape.begin() + along, 0);
  return Tensor(type.elem, shape);
}

Result<bool> conditionOf(const Datum& datum) {
  if (!datum.isTensor() || datum.tensor().elem() != ElemType::Bool ||
      datum.tensor().numElements() != 1)
    return failure(ErrorCode::TypeMismatch,
                   fmt::format("its condition is {}, not one bool",
                               datum.isTensor() ? datum.tensor().type().str() : "no tensor"));
  return datum.tensor().asInt(0) != 0;
}

const pb::GraphProto* graphOf(const pb::NodeProto& node, std::string_view attribute) {
  for (const auto& attr : node.attribute())
    if (attr.name() == attribute && attr.has_g()) return &attr.g();
  return nullptr;
}

Result<const pb::GraphProto*> bodyOf(const pb::NodeProto& node) {
  if (const pb::GraphProto* body = graphOf(node, "body")) return body;
  return failure(ErrorCode::BadAttribute, "it lacks its body");
}

} // namespace

/// One node that has bodies.
class GraphImporter::Evaluation {
public:
  Evaluation(GraphImporter& importer, const pb::NodeProto& node, const std::string& origin,
             Scope& scope)
      : importer_(importer), node_(node), origin_(origin), scope_(scope) {}

  Result<> branch();
  Result<> loop();
  Result<> scan();
  Result<> function(const pb::FunctionProto& proto);

private:
  /// The data of the node's inputs.
  Result<std::vector<Datum>> inputs();
  /// A body with what it reads of the names around it, which become inputs or constants.
  Result<std::shared_ptr<const NodeProcedure>> procedureOf(const pb::GraphProto& graph,
                                                           std::string_view which);
  Result<std::vector<Datum>> run(const pb::GraphProto& graph, std::string_view which,
                                 std::vector<Datum> given);
  Result<> bind(const std::string& name, const Datum& datum);
  Result<> checkIterations(int64_t done) const;

  GraphImporter& importer_;
  const pb::NodeProto& node_;
  const std::string& origin_;
  Scope& scope_;
};

bool GraphImporter::isControl(const pb::NodeProto& proto) const {
  if (functions_.find(proto)) return true;
  return canonicalDomain(proto.domain()).empty() &&
         (proto.op_type() == "If" || proto.op_type() == "Loop" || proto.op_type() == "Scan");
}

Result<> GraphImporter::evaluateControl(const pb::NodeProto& proto, const std::string& origin,
                                        Scope& scope) {
  ENFOLD_RETURN_IF_ERROR(checkDepth(scope));
  pb::NodeProto resolved;
  const pb::NodeProto* node = &proto;
  const bool refers = std::ranges::any_of(
      proto.attribute(), [](const auto& attr) { return !attr.ref_attr_name().empty(); });
  if (refers) {
    resolved = proto;
    ENFOLD_RETURN_IF_ERROR(resolveAttributes(resolved, scope));
    node = &resolved;
  }
  Evaluation evaluation(*this, *node, origin, scope);
  if (const pb::FunctionProto* function = functions_.find(proto))
    return evaluation.function(*function);
  if (proto.op_type() == "If") return evaluation.branch();
  if (proto.op_type() == "Loop") return evaluation.loop();
  return evaluation.scan();
}

Result<std::vector<Datum>> GraphImporter::Evaluation::inputs() {
  ENFOLD_TRY(const auto bindings, importer_.bindingsOf(node_, scope_));
  if (!bindings) return invalid("one of its inputs could not be computed");
  std::vector<Datum> data;
  for (const Binding& binding : *bindings) {
    ENFOLD_TRY(data.emplace_back(), importer_.datumOf(binding));
  }
  return data;
}

Result<std::shared_ptr<const NodeProcedure>>
GraphImporter::Evaluation::procedureOf(const pb::GraphProto& graph, std::string_view which) {
  const NodeProcedure::Content& outer = importer_.procedure_->content();
  const auto make = [&]() -> Result<NodeProcedure::Content> {
    Data known;
    ExternalData external(outer.model->folder);
    const auto decode = [&](const pb::TensorProto& proto, const std::string& name) -> Result<> {
      pb::TensorProto own = proto;
      ENFOLD_TRY(Tensor tensor, decodeTensor(own, external, outer.model->limits));
      known.emplace(name, Datum::of(std::move(tensor)));
      return {};
    };
    for (const auto& tensor : graph.initializer())
      ENFOLD_RETURN_IF_ERROR(decode(tensor, tensor.name()));
    for (const auto& sparse : graph.sparse_initializer()) {
      pb::SparseTensorProto own = sparse;
      ENFOLD_TRY(Tensor tensor, decodeSparseTensor(own, external, outer.model->limits));
      known.emplace(sparse.values().name(), Datum::of(std::move(tensor)));
    }
    NodeList nodes = graph.node();
    const NodeOrder order = orderNodes(nodes);
    if (!order.problems.empty()) return std::unexpected(Error(ErrorKind::Invalid, order.problems));
    std::vector<int> places;
    for (const int place : order.indices) {
      const pb::NodeProto& node = nodes[place];
      if (node.op_type() == "Constant" && node.attribute_size() == 1 && node.attribute(0).has_t() &&
          node.output_size() == 1)
        ENFOLD_RETURN_IF_ERROR(decode(node.attribute(0).t(), node.output(0)));
      else
        places.push_back(place);
    }
    std::vector<std::string> outputs, inputs;
    for (const auto& output : graph.output()) outputs.push_back(output.name());
    for (const auto& input : graph.input()) inputs.push_back(input.name());
    // Weights around a body are constants in it.
    std::set<std::string> read(outputs.begin(), outputs.end());
    for (const auto& node : graph.node()) read.merge(namesRead(node));
    for (const std::string& name : read) {
      const Binding* binding = scope_.find(name);
      if (binding && binding->value && importer_.procedureConstants_.contains(binding->value) &&
          std::ranges::find(inputs, name) == inputs.end())
        known.emplace(name, Datum::of(*binding->value->constant()));
    }
    NodeProcedure::Content content = contentOf(nodes, places, outputs, known);
    std::erase_if(content.inputs, [&](const std::string& name) {
      return std::ranges::find(inputs, name) == inputs.end() && !scope_.find(name);
    });
    for (const std::string& name : outputs) {
      if (const auto constant = known.find(name); constant != known.end())
        content.constants.insert(*constant);
      else if (scope_.find(name))
        inputs.push_back(name);
    }
    for (const std::string& name : inputs)
      if (std::ranges::find(content.inputs, name) == content.inputs.end())
        content.inputs.push_back(name);
    content.outputs = outputs;
    content.model = outer.model;
    for (const auto* infos : {&graph.value_info(), &graph.output()})
      for (const auto& info : *infos)
        if (auto type = readType(info))
          content.valueInfos.insert_or_assign(info.name(), *std::move(type));
    content.opsets = *scope_.opsets;
    if (scope_.attributes) content.attributes = *scope_.attributes;
    content.prefix = origin_;
    content.depth = scope_.depth + 1;
    return content;
  };
  Result<> made;
  auto procedure = importer_.procedure_->body(fmt::format("{}\n{}", origin_, which), make, made);
  if (!made) return std::unexpected(std::move(made).error());
  return procedure;
}

Result<std::vector<Datum>> GraphImporter::Evaluation::run(const pb::GraphProto& graph,
                                                          std::string_view which,
                                                          std::vector<Datum> given) {
  ENFOLD_TRY(const auto procedure, procedureOf(graph, which));
  Data data;
  for (int i = 0; i < graph.input_size() && static_cast<size_t>(i) < given.size(); ++i)
    data.emplace(graph.input(i).name(), std::move(given[static_cast<size_t>(i)]));
  for (const std::string& name : procedure->inputs()) {
    const Binding* binding = data.contains(name) ? nullptr : scope_.find(name);
    if (!binding) continue;
    ENFOLD_TRY(Datum datum, importer_.datumOf(*binding));
    data.emplace(name, std::move(datum));
  }
  return importer_.caller_->call(procedure, std::move(data));
}

Result<> GraphImporter::Evaluation::bind(const std::string& name, const Datum& datum) {
  if (!name.empty()) scope_.names.insert_or_assign(name, importer_.bindingOf(name, datum));
  return {};
}

Result<> GraphImporter::Evaluation::checkIterations(int64_t done) const {
  const int64_t most = importer_.options_.limits.iterations;
  if (done >= most)
    return failure(ErrorCode::OverLimit,
                   fmt::format("it has more than {} iterations, which is the limit", most));
  return importer_.caller_->proceed();
}

Result<> GraphImporter::Evaluation::branch() {
  ENFOLD_TRY(const std::vector<Datum> given, inputs());
  if (given.size() != 1) return failure(ErrorCode::BadAttribute, "it lacks its condition");
  ENFOLD_TRY(const bool condition, conditionOf(given[0]));
  const std::string_view which = condition ? "then_branch" : "else_branch";
  const pb::GraphProto* graph = graphOf(node_, which);
  if (!graph) return failure(ErrorCode::BadAttribute, fmt::format("it lacks its {}", which));
  if (graph->output_size() != node_.output_size())
    return failure(ErrorCode::BadOperands, fmt::format("its {} has {} outputs instead of {}", which,
                                                       graph->output_size(), node_.output_size()));
  ENFOLD_TRY(const std::vector<Datum> results, run(*graph, which, {}));
  for (int i = 0; i < node_.output_size(); ++i)
    ENFOLD_RETURN_IF_ERROR(bind(node_.output(i), results[static_cast<size_t>(i)]));
  return {};
}

Result<> GraphImporter::Evaluation::loop() {
  ENFOLD_TRY(std::vector<Datum> given, inputs());
  ENFOLD_TRY(const pb::GraphProto* body, bodyOf(node_));
  given.resize(std::max<size_t>(given.size(), 2));
  const size_t carried = given.size() - 2;
  const auto outputs = static_cast<size_t>(body->output_size());
  if (static_cast<size_t>(body->input_size()) != carried + 2 || outputs < carried + 1 ||
      static_cast<size_t>(node_.output_size()) > outputs - 1)
    return failure(ErrorCode::BadOperands, fmt::format("its body has {} inputs and {} outputs",
                                                       body->input_size(), outputs));
  int64_t trips = INT64_MAX;
  if (given[0].isTensor()) {
    const Tensor& count = given[0].tensor();
    if (count.numElements() != 1 || !isInteger(count.elem()))
      return invalid(fmt::format("the number of its iterations is {}", count.type().str()));
    trips = count.asInt(0);
  }
  const bool conditional = given[1].isTensor();
  bool goesOn = true;
  if (conditional) {
    ENFOLD_TRY(goesOn, conditionOf(given[1]));
  }
  std::vector<Datum> states(given.begin() + 2, given.end());
  std::vector<std::vector<Tensor>> rows(outputs - 1 - carried);
  for (int64_t i = 0; goesOn && i < trips; ++i) {
    ENFOLD_RETURN_IF_ERROR(checkIterations(i));
    std::vector<Datum> data = {Datum::of(Tensor::scalar(i)), Datum::of(Tensor::scalar(true))};
    std::ranges::move(states, std::back_inserter(data));
    ENFOLD_TRY(std::vector<Datum> made, run(*body, "body", std::move(data)));
    ENFOLD_TRY(const bool next, conditionOf(made[0]));
    goesOn = !conditional || next; // without a condition, only the count ends it
    states.assign(std::make_move_iterator(made.begin() + 1),
                  std::make_move_iterator(made.begin() + 1 + static_cast<ptrdiff_t>(carried)));
    for (size_t k = 0; k < rows.size(); ++k) {
      Datum& row = made[carried + 1 + k];
      if (!row.isTensor()) return unsupported("an iteration gives no tensor");
      rows[k].push_back(std::move(row.tensors.front()));
    }
  }
  for (int i = 0; i < node_.output_size(); ++i) {
    const auto n = static_cast<size_t>(i);
    if (n < carried) {
      ENFOLD_RETURN_IF_ERROR(bind(node_.output(i), states[n]));
      continue;
    }
    const auto& parts = rows[n - carried];
    ENFOLD_TRY(Tensor all, parts.empty() ? noRows(body->output(i + 1), 0) : stacked(parts, 0));
    ENFOLD_RETURN_IF_ERROR(bind(node_.output(i), Datum::of(std::move(all))));
  }
  return {};
}

Result<> GraphImporter::Evaluation::scan() {
  ENFOLD_TRY(const std::vector<Datum> given, inputs());
  ENFOLD_TRY(const pb::GraphProto* body, bodyOf(node_));
  Node node = importer_.makeNode(node_, origin_, importer_.opsetOf(node_, scope_));
  if (node.opset < 9)
    return failure(ErrorCode::UnsupportedOpset,
                   "data decide its sizes: it must be of opset 9 or later");
  pb::NodeProto plain = withoutSubgraphs(node_);
  ENFOLD_TRY(node.attrs, decodeAttributes(plain, importer_.external_, importer_.options_.limits));
  const auto outputs = static_cast<size_t>(body->output_size());
  ENFOLD_TRY(const ScanAttributes a, ScanAttributes::take(node, given.size(), outputs));
  if (static_cast<size_t>(body->input_size()) != given.size() ||
      body->output_size() != node_.output_size())
    return failure(ErrorCode::BadOperands, fmt::format("its body has {} inputs and {} outputs",
                                                       body->input_size(), outputs));
  const auto numStates = given.size() - static_cast<size_t>(a.numInputs);
  std::vector<Datum> states(given.begin(), given.begin() + static_cast<ptrdiff_t>(numStates));
  std::vector<size_t> axes;
  int64_t steps = 0;
  for (size_t i = numStates; i < given.size(); ++i) {
    if (!given[i].isTensor()) return invalid("one of its inputs is no tensor");
    const Shape& shape = given[i].tensor().shape();
    ENFOLD_TRY(const int64_t axis, normalizeAxis(ScanAttributes::at(a.inputAxes, i - numStates),
                                                 static_cast<int64_t>(shape.size())));
    axes.push_back(static_cast<size_t>(axis));
    const int64_t length = shape[axes.back()];
    if (i > numStates && length != steps)
      return failure(ErrorCode::ShapeMismatch,
                     fmt::format("it scans axes of {} and {} elements", steps, length));
    steps = length;
  }
  std::vector<std::vector<Tensor>> rows(outputs - numStates);
  for (int64_t t = 0; t < steps; ++t) {
    ENFOLD_RETURN_IF_ERROR(checkIterations(t));
    std::vector<Datum> data = std::move(states);
    for (size_t i = 0; i < axes.size(); ++i)
      data.push_back(
          Datum::of(partOf(given[numStates + i].tensor(), axes[i],
                           ScanAttributes::at(a.inputDirections, i) ? steps - 1 - t : t)));
    ENFOLD_TRY(std::vector<Datum> made, run(*body, "body", std::move(data)));
    for (size_t k = 0; k < rows.size(); ++k) {
      if (!made[numStates + k].isTensor()) return unsupported("an iteration gives no tensor");
      rows[k].push_back(std::move(made[numStates + k].tensors.front()));
    }
    made.resize(numStates);
    states = std::move(made);
  }
  for (size_t k = 0; k < outputs; ++k) {
    const std::string& name = node_.output(static_cast<int>(k));
    if (k < numStates) {
      ENFOLD_RETURN_IF_ERROR(bind(name, states[k]));
      continue;
    }
    auto& parts = rows[k - numStates];
    if (ScanAttributes::at(a.outputDirections, k - numStates)) std::ranges::reverse(parts);
    const int64_t axis = ScanAttributes::at(a.outputAxes, k - numStates);
    ENFOLD_TRY(Tensor all, parts.empty() ? noRows(body->output(static_cast<int>(k)), axis)
                                         : stacked(parts, axis));
    ENFOLD_RETURN_IF_ERROR(bind(name, Datum::of(std::move(all))));
  }
  return {};
}

Result<> GraphImporter::Evaluation::function(const pb::FunctionProto& proto) {
  ENFOLD_TRY(const std::vector<Datum> given, inputs());
  if (node_.input_size() > proto.input_size() || node_.output_size() > proto.output_size())
    return failure(ErrorCode::BadOperands,
                   fmt::format("its function has {} inputs and {} outputs, not {} and {}",
                               proto.input_size(), proto.output_size(), node_.input_size(),
                               node_.output_size()));
  const NodeProcedure::Content& outer = importer_.procedure_->content();
  const auto make = [&]() -> Result<NodeProcedure::Content> {
    const NodeOrder order = orderNodes(proto.node());
    if (!order.problems.empty()) return std::unexpected(Error(ErrorKind::Invalid, order.problems));
    const std::vector<std::string> outputs(proto.output().begin(), proto.output().end());
    NodeProcedure::Content content = contentOf(proto.node(), order.indices, outputs, {});
    content.inputs.assign(proto.input().begin(), proto.input().end());
    content.outputs = outputs;
    content.model = outer.model;
    for (const auto& import : proto.opset_import())
      content.opsets[canonicalDomain(import.domain())] = import.version();
    if (content.opsets.empty()) content.opsets = *scope_.opsets;
    content.attributes.emplace();
    for (const auto& attr : node_.attribute()) content.attributes->emplace(attr.name(), attr);
    for (const auto& attr : proto.attribute_proto()) content.attributes->emplace(attr.name(), attr);
    content.prefix = origin_;
    content.depth = scope_.depth + 1;
    return content;
  };
  Result<> made;
  const auto procedure = importer_.procedure_->body(origin_ + "\nfunction", make, made);
  if (!made) return std::unexpected(std::move(made).error());
  Data data;
  for (size_t i = 0; i < static_cast<size_t>(proto.input_size()); ++i)
    data.emplace(proto.input(static_cast<int>(i)), i < given.size() ? given[i] : Datum());
  ENFOLD_TRY(const std::vector<Datum> results, importer_.caller_->call(procedure, std::move(data)));
  for (int i = 0; i < node_.output_size(); ++i)
    ENFOLD_RETURN_IF_ERROR(bind(node_.output(i), results[static_cast<size_t>(i)]));
  return {};
}

} // namespace enfold::onnx
