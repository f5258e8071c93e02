// Names, then constants, ops and outputs.
#include "onnx/GraphExporter.h"

#include "ir/Steps.h"
#include "onnx/Attributes.h"
#include "onnx/OperatorTable.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace enfold::onnx {
namespace {

/// The value that holds the same numbers, layouts aside.
const Value* withoutReorders(const Value* value) {
  while (value->producer() && value->producer()->kind() == OpKind::Reorder)
    value = value->producer()->own(0);
  return value;
}

bool isComputed(const Value* value) { return value->producer() && !value->constant(); }

void writeType(const Type& type, const std::string& name, pb::ValueInfoProto& proto) {
  proto.set_name(name);
  auto& tensor = *proto.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(static_cast<int>(type.elem));
  tensor.mutable_shape(); // rank 0 is a shape, none is an unknown one
  for (int64_t size : type.shape) tensor.mutable_shape()->add_dim()->set_dim_value(size);
}

/// A type some of whose sizes are open.
void writeType(const DeclaredType& type, const std::string& name, pb::ValueInfoProto& proto) {
  proto.set_name(name);
  auto& tensor = *proto.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(static_cast<int>(type.elem));
  if (!type.dims) return;
  tensor.mutable_shape();
  for (const DeclaredType::Dim& dim : *type.dims) {
    auto& written = *tensor.mutable_shape()->add_dim();
    if (dim.size)
      written.set_dim_value(*dim.size);
    else if (!dim.symbol.empty())
      written.set_dim_param(dim.symbol);
  }
}

/// The IR version that came with an opset.
int64_t irVersionOf(int64_t opset) {
  constexpr std::pair<int64_t, int64_t> kFirstOpsets[] = {{28, 14}, {25, 13}, {24, 12},
                                                          {23, 11}, {21, 10}, {19, 9}};
  for (const auto& [first, version] : kFirstOpsets)
    if (opset >= first) return version;
  return 8;
}

} // namespace

Result<> GraphExporter::write() {
  for (const auto& input : graph_.inputs()) {
    names_.emplace(input.get(), input->name());
    taken_.insert(input->name());
  }
  ENFOLD_RETURN_IF_ERROR(nameOutputs());
  nameValues();
  auto& proto = *model_.mutable_graph();
  proto.set_name(graph_.name());
  for (const auto& input : graph_.inputs()) {
    writeOuterType(input->type(), input->name(), *proto.add_input());
    if (const auto value = options_.inputDefaults.find(input->name());
        value != options_.inputDefaults.end())
      ENFOLD_RETURN_IF_ERROR(writeInitializer(value->second, input->name()));
  }
  for (const auto& op : graph_.ops()) {
    if (op->kind() == OpKind::Reorder) continue;
    if (op->kind() == OpKind::Constant)
      ENFOLD_RETURN_IF_ERROR(writeInitializer(op->tensor("value"), nameOf(op->result())));
    else
      writeOp(*op);
  }
  writeOutputs();
  writeVersions();
  return {};
}

/// The type of an input or output.
void GraphExporter::writeOuterType(const Type& type, const std::string& name,
                                   pb::ValueInfoProto& proto) const {
  const auto open = options_.openTypes.find(name);
  if (open == options_.openTypes.end())
    writeType(type, name, proto);
  else
    writeType(open->second, name, proto);
}

// An output's name is the model's; where the value can take it, no copy is needed. Values that have
// the name already go first.
Result<> GraphExporter::nameOutputs() {
  const auto outputs = graph_.outputs();
  const auto outputNames = graph_.outputNames();
  std::vector<bool> done(outputs.size(), false);
  std::unordered_map<std::string, const Value*> seen;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const std::string& name = outputNames[i];
    const Value* value = withoutReorders(outputs[i]);
    const auto [first, isNew] = seen.emplace(name, value);
    if (first->second != value)
      return invalid(fmt::format("the graph has two outputs named '{}'", name));
    done[i] = !isNew || value->name() == name; // one value may be listed twice
    if (!isNew) continue;
    if (done[i])
      names_.emplace(value, name);
    else if (taken_.contains(name))
      return invalid(fmt::format("the graph has an input and another output named '{}'", name));
  }
  taken_.insert(outputNames.begin(), outputNames.end());
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (done[i]) continue;
    const Value* value = withoutReorders(outputs[i]);
    if (!isComputed(value) || !names_.emplace(value, outputNames[i]).second)
      copies_.emplace_back(value, outputNames[i]);
  }
  return {};
}

void GraphExporter::nameValues() {
  std::vector<const Value*> renamed;
  for (const auto& op : graph_.ops()) {
    if (op->kind() == OpKind::Reorder) continue;
    for (size_t i = 0; i < op->numResults(); ++i) {
      const Value* value = op->result(i);
      if (names_.contains(value)) continue;
      if (taken_.insert(value->name()).second)
        names_.emplace(value, value->name());
      else
        renamed.push_back(value); // an output of another value has its name
    }
  }
  for (const Value* value : renamed) names_.emplace(value, freshName(value->name()));
}

std::string GraphExporter::freshName(const std::string& stem) {
  std::string name = stem;
  for (int number = 1; !taken_.insert(name).second; ++number)
    name = fmt::format("{}_{}", stem, number);
  return name;
}

std::string GraphExporter::nameOf(const Value* value) const {
  return value ? names_.at(withoutReorders(value)) : "";
}

Result<> GraphExporter::writeInitializer(const Tensor& tensor, const std::string& name) {
  auto& proto = *model_.mutable_graph()->add_initializer();
  if (!data_ || !ExternalDataWriter::takes(tensor)) {
    encodeTensor(tensor, name, proto);
    return {};
  }
  encodeHeader(tensor, name, proto);
  return data_->store(tensor, proto);
}

ExportOperand GraphExporter::operandOf(const Value* value) const {
  if (!value) return {};
  return {nameOf(value), value->elem(), withoutReorders(value)};
}

void GraphExporter::writeOp(const Op& op) {
  Names results;
  for (size_t i = 0; i < op.numResults(); ++i) {
    results.push_back(nameOf(op.result(i)));
    if (op.result(i)->outputUses() == 0 && options_.openTypes.empty())
      writeType(op.result(i)->type(), results.back(), *model_.mutable_graph()->add_value_info());
  }
  std::vector<ExportOperand> operands;
  for (const Value* operand : op.operands()) operands.push_back(operandOf(operand));
  ExportNode node{op.kind(), op.attrs(), operands, results, op.ownElem()};
  node.inputs.resize(op.numOwnOperands());
  const std::vector<ElemType> elems = elemsBehindSteps(op);
  for (size_t i = 0; i < elems.size(); ++i) {
    const EpilogueStep& step = op.epilogue()[i];
    ExportNode next{step.kind, step.attrs, {}, results, elems[i]};
    ExportOperand accumulator;
    if (!converts(step)) {
      accumulator = {freshName(results[0] + "/" + info(node.kind).name), step.from};
      node.outputs = {accumulator.name};
      write(std::move(node), op);
    }
    for (const int arg : step.args)
      next.inputs.push_back(arg == EpilogueStep::kAccumulator ? accumulator
                            : arg == EpilogueStep::kAbsent    ? ExportOperand{}
                                                              : operands[static_cast<size_t>(arg)]);
    if (!converts(step)) {
      node = std::move(next);
      continue;
    }
    ExportOperand& converted = operands[static_cast<size_t>(subjectOf(step))];
    converted = {freshName(converted.name + "/" + info(step.kind).name), elems[i]};
    next.outputs = {converted.name};
    write(std::move(next), op);
  }
  write(std::move(node), op);
}

void GraphExporter::write(ExportNode node, const Op& op) {
  while (!node.inputs.empty() && node.inputs.back().name.empty()) node.inputs.pop_back();
  // In training it is an error not to name the running statistics, even if nobody wants them.
  if (node.kind == OpKind::BatchNormalization && op.integer("training_mode") != 0)
    for (size_t i = node.outputs.size(); i < 3; ++i)
      node.outputs.push_back(freshName(node.outputs[0] + "/" + op.info().results[i].name));
  writeNodes(node, {[&](const ExportNode& part) { writeNode(part, op); },
                    [&](const Tensor& tensor, const std::string& stem) {
                      std::string name = freshName(stem);
                      encodeTensor(tensor, name, *model_.mutable_graph()->add_initializer());
                      return name;
                    },
                    [&](const std::string& stem) { return freshName(stem); }});
}

void GraphExporter::writeNode(const ExportNode& part, const Op& op) {
  auto& node = *model_.mutable_graph()->add_node();
  node.set_op_type(info(part.kind).onnxName);
  std::vector<ElemType> elems = {part.elem};
  for (const ExportOperand& input : part.inputs) {
    node.add_input(input.name);
    if (!input.name.empty()) elems.push_back(input.elem);
  }
  for (const std::string& output : part.outputs) node.add_output(output);
  for (const auto& [name, value] : part.attrs)
    if (!info(part.kind).attr(name)->own) encodeAttribute(name, value, node);
  const std::string origin = op.origins().empty() ? op.result()->name() : op.origins().front();
  std::string name = origin;
  for (int number = 1; !nodeNames_.insert(name).second; ++number)
    name = fmt::format("{}/{}_{}", origin, info(part.kind).name, number);
  node.set_name(name);
  if (op.origins().size() > 1)
    node.set_doc_string(fmt::format("from {}", fmt::join(op.origins(), ", ")));
  opset_ = std::max(opset_, opsetOf(part.kind, part.attrs, elems));
}

void GraphExporter::writeOutputs() {
  auto& proto = *model_.mutable_graph();
  for (const auto& [value, name] : copies_) {
    auto& node = *proto.add_node();
    node.set_op_type(info(OpKind::Identity).onnxName);
    node.set_name(name);
    node.add_input(nameOf(value));
    node.add_output(name);
  }
  for (size_t i = 0; i < graph_.outputs().size(); ++i)
    writeOuterType(graph_.outputs()[i]->type(), graph_.outputNames()[i], *proto.add_output());
}

void GraphExporter::writeVersions() {
  model_.set_producer_name("enfold");
  model_.set_producer_version(ENFOLD_VERSION);
  const int64_t opset = std::max(opset_, kLeastOpset);
  model_.set_ir_version(irVersionOf(opset));
  auto& import = *model_.add_opset_import();
  import.set_domain("");
  import.set_version(opset);
}

} // namespace enfold::onnx
