// Cutting and evaluating nodes.
#include "onnx/NodeProcedure.h"

#include "support/Memory.h"

namespace enfold::onnx {
namespace {

ImportedModel emptyModel(const NodeProcedure::Content& content) {
  ImportedModel model;
  model.graph = std::make_unique<Graph>("part");
  model.signature.opsets = content.opsets;
  model.signature.irVersion = content.model->irVersion;
  return model;
}

/// An importer of nodes of a procedure into a model of their own.
struct PartImport {
  ImportedModel model;
  ExternalData external;
  ImportOptions options;
  GraphImporter importer;

  PartImport(const NodeProcedure::Content& content, GraphImporter::Mode mode)
      : model(emptyModel(content)), external(content.model->folder),
        options{.limits = content.model->limits},
        importer(model, options, content.model->functions, external, mode) {}
};

} // namespace

ModelContext::ModelContext(const pb::ModelProto& model, const ImportLimits& limits,
                           std::filesystem::path folder)
    : functionProtos([&] {
        pb::ModelProto protos;
        *protos.mutable_functions() = model.functions();
        return protos;
      }()),
      functions(functionProtos), limits(limits), folder(std::move(folder)),
      irVersion(model.ir_version()) {}

NodeProcedure::Content contentOf(const NodeList& nodes, std::span<const int> places,
                                 std::span<const std::string> outputs, const Data& known) {
  NodeProcedure::Content content;
  std::set<std::string> made, read;
  for (const int place : places) {
    const pb::NodeProto& node = nodes[place];
    *content.nodes.Add() = node;
    content.numbers.push_back(place);
    for (const std::string& name : node.output()) made.insert(name);
    read.merge(namesRead(node));
  }
  for (const std::string& name : outputs)
    if (made.contains(name)) content.outputs.push_back(name);
  for (const std::string& name : read) {
    if (made.contains(name)) continue;
    if (const auto constant = known.find(name); constant != known.end())
      content.constants.insert(*constant);
    else
      content.inputs.push_back(name);
  }
  return content;
}

const Datum* NodeProcedure::constant(const std::string& name) const {
  const auto found = content_.constants.find(name);
  return found == content_.constants.end() ? nullptr : &found->second;
}

std::shared_ptr<const NodeProcedure>
NodeProcedure::rest(std::span<const int> places, std::set<int> decided, const Data& known) const {
  Content content = contentOf(content_.nodes, places, content_.outputs, known);
  for (int& number : content.numbers) number = content_.numbers[static_cast<size_t>(number)];
  for (size_t i = 0; i < places.size(); ++i)
    if (decided.contains(places[i])) content.decided.insert(static_cast<int>(i));
  content.model = content_.model;
  content.valueInfos = content_.valueInfos;
  content.opsets = content_.opsets;
  content.attributes = content_.attributes;
  content.prefix = content_.prefix;
  content.depth = content_.depth;
  return std::make_shared<const NodeProcedure>(std::move(content));
}

std::shared_ptr<const NodeProcedure>
NodeProcedure::body(const std::string& key, const std::function<Result<Content>()>& make,
                    Result<>& made) const {
  const std::lock_guard lock(mutex_);
  auto& kept = bodies_[key];
  if (!kept) {
    auto content = make();
    if (!content) {
      made = std::unexpected(std::move(content).error());
      return nullptr;
    }
    kept = std::make_shared<const NodeProcedure>(*std::move(content));
  }
  return kept;
}

Result<Part> NodeProcedure::cut(const Data& data, bool mayBind) const {
  const auto attempt = [&]() -> Result<Part> {
    std::set<std::string> bound;
    for (;;) {
      PartImport work(content_, GraphImporter::Mode::Cut);
      GraphImporter& importer = work.importer;
      ImportedModel& model = work.model;
      importer.importProcedure(*this, data, bound, mayBind);
      if (const auto& deciding = importer.decidingValues(); !deciding.empty()) {
        for (const auto& [name, tensor] : deciding) bound.insert(name);
        continue;
      }
      if (!importer.problems().empty())
        return std::unexpected(std::move(importer.problems()).take());
      Part part{.graph = std::move(model.graph),
                .inputs = {},
                .bound = std::move(bound),
                .remainder = std::move(model.remainder)};
      for (const auto& input : part.graph->inputs())
        part.inputs.push_back(importer.partInput(input->name()));
      return part;
    }
  };
  return catchNoMemory("preparing a part of the model", attempt);
}

Result<ProcedurePtr> NodeProcedure::evaluate(Data& data, Caller& caller) const {
  const auto attempt = [&]() -> Result<ProcedurePtr> {
    PartImport work(content_, GraphImporter::Mode::Evaluate);
    GraphImporter& importer = work.importer;
    const std::vector<int> left = importer.evaluateProcedure(*this, data, caller);
    if (!importer.problems().empty()) return std::unexpected(std::move(importer.problems()).take());
    if (left.empty()) return nullptr;
    const std::lock_guard lock(mutex_);
    auto& kept = rests_[left];
    if (!kept) kept = rest(left, {}, content_.constants);
    return kept;
  };
  return catchNoMemory("evaluating a part of the model", attempt);
}

} // namespace enfold::onnx
