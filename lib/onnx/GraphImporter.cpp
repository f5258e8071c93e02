// The walk over inputs, initializers, nodes and outputs.
#include "onnx/GraphImporter.h"

#include "onnx/Attributes.h"
#include "onnx/NchwcBlock.h"
#include "onnx/OperatorTable.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <set>

namespace enfold::onnx {

void Problems::add(Error error, const std::string& node) {
  // Listed from the gravest down.
  constexpr ErrorKind kGravity[] = {ErrorKind::Invalid, ErrorKind::Unsupported, ErrorKind::Usage,
                                    ErrorKind::DataDependent};
  for (ErrorKind kind : kGravity)
    if (kind == error.kind || kind == kind_) {
      kind_ = kind;
      break;
    }
  for (Diag& diag : error.diags) {
    if (diag.node.empty()) diag.node = node;
    diags_.push_back(std::move(diag));
  }
}

Error Problems::take() && { return Error(kind_, std::move(diags_)); }

const GraphImporter::Binding* GraphImporter::Scope::find(const std::string& name) const {
  for (const Scope* scope = this; scope != nullptr; scope = scope->outer)
    if (const auto it = scope->names.find(name); it != scope->names.end()) return &it->second;
  return nullptr;
}

GraphImporter::GraphImporter(ImportedModel& model, const ImportOptions& options,
                             const Functions& functions, ExternalData& external, Mode mode,
                             std::shared_ptr<const ModelContext> context)
    : model_(model), graph_(*model.graph), options_(options), functions_(functions),
      external_(external), dims_(options),
      knownValues_([this](const Value* input) { return decidingValue(input); },
                   mode == Mode::Evaluate ? INT64_MAX : reference::KnownValues::kMostElements),
      known_([this](const Value* value) { return knownValues_.lookup(value); }),
      freshName_([this](std::string stem) { return freshName(std::move(stem)); }), mode_(mode),
      context_(std::move(context)) {}

const Tensor* GraphImporter::decidingValue(const Value* input) {
  const auto decides = [&](const Tensor& value) {
    return &decidingValues_.emplace(input->name(), value).first->second;
  };
  if (!decides_) return nullptr;
  if (const auto it = contents_.find(input->name()); it != contents_.end())
    return &decidingValues_.emplace(partInputs_.at(input->name()).name, *it->second).first->second;
  if (const Tensor* sample = dims_.sample(input->name()))
    return sample->type() == input->type() && mayDecideShapes(sample->type()) ? decides(*sample)
                                                                              : nullptr;
  const auto it = model_.inputDefaults.find(input->name());
  return it == model_.inputDefaults.end() ? nullptr : decides(it->second);
}

void GraphImporter::import(pb::GraphProto& proto) {
  Scope scope;
  scope.opsets = &model_.signature.opsets;
  scope.read = namesNeeded(proto);
  reserveNames(proto);
  nchwcBlock_ = nchwcBlockOf(proto);
  if (nchwcBlock_ > 0)
    model_.notes.push_back(fmt::format(
        "its weights for com.microsoft.nchwc are taken to be in blocks of {} channels, which the "
        "file does not say",
        nchwcBlock_));
  importInitializers(proto, scope);
  importInputs(proto, scope);
  readValueInfos(proto);
  importNodes(*proto.mutable_node(), scope);
  importOutputs(proto, scope);
  if (mustLeave_ && problems_.empty() && decidingValues_.empty()) leave(proto, scope);
}

void GraphImporter::reserveNames(const pb::GraphProto& proto) {
  for (const auto& input : proto.input()) reserved_.insert(input.name());
  for (const auto& initializer : proto.initializer()) reserved_.insert(initializer.name());
  for (const auto& node : proto.node())
    reserved_.insert(node.output().begin(), node.output().end());
}

/// What a constant node of the main graph holds, if it was decoded before.
const Tensor* GraphImporter::decodedBefore(const pb::NodeProto& proto, const Scope& scope) const {
  if (!decoded_ || scope.caller != nullptr || !holdsTensor(proto)) return nullptr;
  const auto known = decoded_->find(proto.output(0));
  return known == decoded_->end() ? nullptr : &known->second;
}

Result<Tensor> GraphImporter::tensorOf(pb::TensorProto& proto, bool isInSubgraph) {
  if (const auto given = options_.replacements.find(proto.name());
      given != options_.replacements.end() && !isInSubgraph) {
    ENFOLD_TRY(const ElemType elem, decodeElemType(proto.data_type()));
    if (given->second.elem() == elem) return given->second;
    return failure(ErrorCode::WrongInput,
                   fmt::format("it is {}, and the value given for it {}", enfold::name(elem),
                               given->second.type().str()));
  }
  if (decoded_ && !isInSubgraph)
    if (const auto known = decoded_->find(proto.name()); known != decoded_->end())
      return known->second;
  return decodeTensor(proto, external_, options_.limits);
}

void GraphImporter::importInitializers(pb::GraphProto& proto, Scope& scope) {
  const bool subgraph = scope.caller != nullptr;
  std::unordered_set<std::string> inputs, frozenInputs;
  // From IR version 4 on, an initializer that is an input as well is only its default.
  const bool frozen = options_.initializers == ImportOptions::Initializers::Frozen;
  if (model_.signature.irVersion >= 4 && !subgraph)
    for (const auto& input : proto.input())
      (frozen && !options_.overridden.contains(input.name()) ? frozenInputs : inputs)
          .insert(input.name());
  int64_t compiledIn = 0;
  const auto define = [&](const std::string& name, Result<Tensor> tensor) {
    const std::string what = fmt::format("initializer '{}'", name);
    Binding& binding = scope.names[name];
    if (!tensor && !scope.read.contains(name)) {
      binding.state = Binding::State::Absent;
      return;
    }
    if (!tensor) return problems_.add(std::move(tensor).error(), what);
    if (binding.value != nullptr || initializers_.contains(name))
      return problems_.add(Error(ErrorCode::UndefinedName, "it is defined twice"), what);
    if (inputs.contains(name)) {
      initializers_.emplace(name, *std::move(tensor));
      scope.names.erase(name);
      return;
    }
    compiledIn += frozenInputs.contains(name);
    binding = {Binding::State::Known,
               graph_.constant(*std::move(tensor), nameFor(name, scope), nullptr)};
  };
  // A constant that nothing reads may be wrong.
  std::unordered_set<std::string> wanted = scope.read;
  for (const auto& input : proto.input()) wanted.insert(input.name());
  for (auto& tensor : *proto.mutable_initializer())
    if (wanted.contains(tensor.name())) define(tensor.name(), tensorOf(tensor, subgraph));
  for (auto& sparse : *proto.mutable_sparse_initializer())
    if (wanted.contains(sparse.values().name()))
      define(sparse.values().name(), decodeSparseTensor(sparse, external_, options_.limits));
  if (compiledIn > 0)
    model_.notes.push_back(
        fmt::format("{} inputs have default values, which are compiled in", compiledIn));
}

void GraphImporter::importInputs(const pb::GraphProto& proto, Scope& scope) {
  std::unordered_set<std::string> names;
  for (const auto& info : proto.input()) {
    names.insert(info.name());
    const auto type = readType(info);
    if (!type || scope.names.contains(info.name())) continue;
    if (auto learned = dims_.learn(info.name(), *type); !learned)
      problems_.add(std::move(learned).error(), "");
    if (!type->dims) continue;
    for (const auto& dim : *type->dims)
      if (!dim.symbol.empty()) names.insert(dim.symbol);
  }
  std::vector<std::string> open;
  for (const auto& info : proto.input())
    if (!scope.names.contains(info.name())) open.push_back(info.name());
  dims_.nameSamples(open);
  for (const auto& info : proto.input())
    if (const auto type = readType(info); type && !scope.names.contains(info.name()))
      dims_.learnSample(info.name(), *type);
  for (const auto& info : proto.input()) {
    const auto type = readType(info);
    if (!type || scope.names.contains(info.name()) || initializers_.contains(info.name()) ||
        options_.values.contains(info.name()))
      continue;
    if (auto note = dims_.assumeBatch(info.name(), *type)) model_.notes.push_back(*std::move(note));
  }
  std::set<std::string> given; // one number is given as a size and as a shape
  for (const auto& [name, _] : options_.dims) given.insert(name);
  for (const auto& [name, _] : options_.shapes) given.insert(name);
  for (const auto& [name, _] : options_.values) given.insert(name);
  for (const std::string& name : given)
    if (!names.contains(name))
      problems_.add(Error(ErrorCode::UnknownInput,
                          fmt::format("the model has no input or open dimension '{}'", name)),
                    "");
  for (const auto& info : proto.input()) importInput(info, scope);
  if (!model_.inputDefaults.empty())
    model_.notes.push_back(fmt::format(
        "{} inputs have default values that a caller may override, so they are not folded; "
        "freezing the initializers makes them constants",
        model_.inputDefaults.size()));
}

void GraphImporter::importInput(const pb::ValueInfoProto& info, Scope& scope) {
  const std::string& name = info.name();
  const std::string what = fmt::format("input '{}'", name);
  if (const auto it = scope.names.find(name); it != scope.names.end()) {
    const Value* value = it->second.value;
    if (value != nullptr && value->producer() == nullptr)
      problems_.add(Error(ErrorCode::UndefinedName, "it is declared twice"), what);
    return;
  }
  Binding& binding = scope.names[name];
  auto type = readBoundaryType(info);
  if (!type) return problems_.add(std::move(type).error(), what);
  if (!type->isTensor()) {
    if (mode_ != Mode::Cut)
      return problems_.add(
          Error(ErrorKind::DataDependent,
                fmt::format("it is {}, and what it holds is known with a run only",
                            type->isSequence() ? "a sequence of tensors" : "an optional tensor")),
          what);
    binding.state = Binding::State::Deferred;
    mustLeave_ = true;
    return;
  }
  if (const auto given = options_.values.find(name); given != options_.values.end()) {
    const Tensor& tensor = given->second;
    const auto resolved = dims_.resolve(*type);
    if (tensor.elem() != type->elem || (resolved && resolved->shape != tensor.shape()))
      return problems_.add(Error(ErrorCode::WrongInput,
                                 fmt::format("the value given for it is {}", tensor.type().str())),
                           what);
    model_.boundInputs.emplace(name, tensor);
    binding = {Binding::State::Known, graph_.constant(tensor, name)};
    return;
  }
  if (const auto initial = initializers_.find(name); initial != initializers_.end()) {
    if (initial->second.elem() != type->elem)
      return problems_.add(
          Error(ErrorCode::TypeMismatch,
                fmt::format("its default value is {}", initial->second.type().str())),
          what);
    binding = {Binding::State::Known, graph_.addInput(name, initial->second.type())};
    model_.inputDefaults.emplace(name, std::move(initial->second));
    return;
  }
  auto shape = dims_.shapeOf(name, *type);
  if (!shape) return problems_.add(std::move(shape).error(), "");
  binding = {Binding::State::Known, graph_.addInput(name, {type->elem, *std::move(shape), {}})};
}

void GraphImporter::readValueInfos(const pb::GraphProto& proto) {
  for (const auto* infos : {&proto.value_info(), &proto.output()})
    for (const auto& info : *infos)
      if (auto type = readType(info)) valueInfos_.insert_or_assign(info.name(), *std::move(type));
}

void GraphImporter::importOutputs(const pb::GraphProto& proto, const Scope& scope) {
  if (overLimits_) return;
  if (proto.output().empty())
    problems_.add(Error(ErrorCode::BadOperands, "the model has no outputs"), "");
  for (const auto& info : proto.output()) {
    const std::string& name = info.name();
    const std::string what = fmt::format("output '{}'", name);
    const Binding* binding = scope.find(name);
    if (binding == nullptr) {
      problems_.add(Error(ErrorCode::UndefinedName, "no node computes it"), what);
    } else if (binding->sequence || binding->state == Binding::State::Absent) {
      mustLeave_ = true;
      if (mode_ != Mode::Cut)
        problems_.add(Error(ErrorKind::DataDependent,
                            binding->sequence ? "it is a sequence of tensors"
                                              : "it is an optional value that is not there"),
                      what);
    } else if (binding->state == Binding::State::Known) {
      const Type& type = binding->value->type();
      const auto declared = readType(info);
      if (declared && declared->elem != type.elem)
        problems_.add(Error(ErrorCode::TypeMismatch,
                            fmt::format("it is declared as {} but computed as {}",
                                        enfold::name(declared->elem), enfold::name(type.elem))),
                      what);
      const auto resolved = declared ? dims_.resolve(*declared) : std::nullopt;
      if (resolved && resolved->shape != type.shape)
        model_.notes.push_back(fmt::format("{} is declared as {} but computed as {}", what,
                                           str(resolved->shape), str(type.shape)));
      graph_.addOutput(binding->value, name);
    }
  }
}

std::string GraphImporter::freshName(std::string stem) const {
  const auto taken = [&](const std::string& name) {
    return reserved_.contains(name) || graph_.find(name) != nullptr;
  };
  if (!taken(stem)) return stem;
  int64_t number = 1;
  std::string name;
  do name = fmt::format("{}_{}", stem, number++);
  while (taken(name));
  return name;
}

std::string GraphImporter::nameFor(const std::string& name, const Scope& scope) const {
  if (name.empty() || scope.caller == nullptr) return name;
  if (const auto wish = scope.wishes.find(name); wish != scope.wishes.end()) return wish->second;
  return freshName(fmt::format("{}/{}", scope.prefix, name));
}

int64_t GraphImporter::opsetOf(const pb::NodeProto& proto, const Scope& scope) const {
  const auto it = scope.opsets->find(canonicalDomain(proto.domain()));
  return it == scope.opsets->end() ? 1 : it->second;
}

void GraphImporter::failResults(const pb::NodeProto& proto, Scope& scope) {
  for (const std::string& name : proto.output())
    if (!name.empty()) scope.names.emplace(name, Binding{});
}

void GraphImporter::importNodes(NodeList& nodes, Scope& scope) {
  NodeOrder order = orderNodes(nodes);
  scope.order = &order;
  for (Diag& problem : order.problems)
    problems_.add(Error(ErrorKind::Invalid, {std::move(problem)}), "");
  for (int index : order.indices)
    for (const std::string& name : nodes[index].output())
      if (!name.empty() && scope.names.contains(name))
        problems_.add(Error(ErrorCode::UndefinedName,
                            fmt::format("it computes '{}', which is an input or constant", name)),
                      onnx::describe(nodes[index], index));
  for (int index : order.indices) {
    if (overLimits_) return;
    // What nobody needs may be beyond what can be imported.
    if (scope.caller == nullptr && !isNeeded(nodes[index], scope.read)) continue;
    // A constant keeps nothing of its node.
    if (mode_ == Mode::Cut && scope.caller == nullptr && nodes[index].op_type() != "Constant")
      importOrDefer(nodes[index], index, index, scope);
    else
      importNode(nodes[index], index, scope);
  }
  scope.order = nullptr;
}

std::string GraphImporter::originOf(const pb::NodeProto& proto, int index, const Scope& scope) {
  const std::string local =
      proto.name().empty() ? fmt::format("{}_{}", proto.op_type(), index) : proto.name();
  return scope.prefix.empty() ? local : scope.prefix + "/" + local;
}

std::string GraphImporter::describe(const pb::NodeProto& proto, const std::string& origin,
                                    const Scope& scope) const {
  const std::string domain = canonicalDomain(proto.domain());
  return fmt::format("{}{}{} '{}' (opset {})", domain, domain.empty() ? "" : ":", proto.op_type(),
                     origin, opsetOf(proto, scope));
}

void GraphImporter::importNode(pb::NodeProto& proto, int index, Scope& scope) {
  if (++numNodes_ > options_.limits.nodes) {
    overLimits_ = true;
    return problems_.add(Error(ErrorCode::OverLimit, fmt::format("the model has more than {} nodes",
                                                                 options_.limits.nodes)),
                         "");
  }
  const auto isRead = [&](const std::string& name) { return scope.read.contains(name); };
  if (proto.op_type() == "Constant" && std::ranges::none_of(proto.output(), isRead)) return;
  const std::string origin = originOf(proto, index, scope);
  const int64_t opset = opsetOf(proto, scope);
  const std::string domain = canonicalDomain(proto.domain());
  const auto attempt = [&]() -> Result<> {
    ENFOLD_RETURN_IF_ERROR(resolveAttributes(proto, scope));
    if (const pb::FunctionProto* function = functions_.find(proto))
      return inlineFunction(*function, proto, origin, scope);
    if (isStructural(domain, proto.op_type())) {
      if (proto.op_type() == "If") return importIf(proto, origin, scope);
      if (proto.op_type() == "Loop") return importLoop(proto, origin, scope);
      if (proto.op_type() == "Scan") return importScan(proto, origin, scope);
      if (proto.op_type() == "SequenceMap") return importSequenceMap(proto, origin, scope);
      if (proto.op_type() == "FlexAttention") return importFlexAttention(proto, origin, scope);
    }
    if (domain.empty()) {
      ENFOLD_TRY(const bool imported, importSequenceNode(proto, origin, scope));
      if (imported) return {};
    }
    ENFOLD_TRY(const Adapter adapter, findAdapter(domain, proto.op_type(), opset));
    ENFOLD_TRY(auto operands, operandsOf(proto, scope));
    if (!operands) return {};
    ENFOLD_TRY(const Values results,
               importOperator(proto, origin, opset, adapter, *std::move(operands), scope));
    for (int i = 0; i < proto.output_size() && static_cast<size_t>(i) < results.size(); ++i)
      if (!proto.output(i).empty())
        scope.names.emplace(proto.output(i), Binding{Binding::State::Known, results[i]});
    return {};
  };
  if (auto done = attempt(); !done)
    problems_.add(std::move(done).error(), describe(proto, origin, scope));
  failResults(proto, scope);
}

Result<> GraphImporter::resolveAttributes(pb::NodeProto& proto, const Scope& scope) {
  auto& attrs = *proto.mutable_attribute();
  for (int i = 0; i < attrs.size();) {
    const std::string reference = attrs[i].ref_attr_name();
    if (reference.empty()) {
      ++i;
      continue;
    }
    if (scope.attributes == nullptr)
      return failure(ErrorCode::BadAttribute,
                     fmt::format("attribute '{}' refers to '{}' outside a function",
                                 attrs[i].name(), reference));
    if (const auto given = scope.attributes->find(reference); given != scope.attributes->end()) {
      const std::string name = attrs[i].name();
      attrs[i] = given->second;
      attrs[i].set_name(name);
      ++i;
    } else {
      attrs.DeleteSubrange(i, 1);
    }
  }
  return {};
}

Result<std::optional<Values>> GraphImporter::operandsOf(const pb::NodeProto& proto,
                                                        const Scope& scope) {
  Values operands;
  bool failed = false;
  for (const std::string& name : proto.input()) {
    if (name.empty()) {
      operands.push_back(nullptr);
      continue;
    }
    const Binding* binding = scope.find(name);
    if (binding == nullptr) {
      // On a cycle, a producer may come after its reader; the cycle is reported already.
      if (!scope.order->producers.contains(name))
        return failure(ErrorCode::UndefinedName,
                       fmt::format("its input '{}' is defined nowhere", name));
      failed = true;
    } else {
      if (binding->sequence)
        return failure(ErrorCode::UnsupportedType,
                       fmt::format("its input '{}' is a sequence", name));
      failed = failed || binding->state == Binding::State::Failed ||
               binding->state == Binding::State::Deferred;
      operands.push_back(binding->value);
    }
  }
  if (failed) return std::nullopt;
  return operands;
}

Result<Values> GraphImporter::importOperator(pb::NodeProto& proto, const std::string& origin,
                                             int64_t opset, Adapter adapter, Values operands,
                                             const Scope& scope) {
  Node node = makeNode(proto, origin, opset);
  node.operands = std::move(operands);
  if (const Tensor* known = decodedBefore(proto, scope)) {
    node.attrs = {{"value", *known}};
  } else {
    ENFOLD_TRY(node.attrs, decodeAttributes(proto, external_, options_.limits));
  }
  for (const std::string& name : proto.output()) {
    node.results.push_back(nameFor(name, scope));
    const auto info = valueInfos_.find(node.results.back());
    node.declared.push_back(info == valueInfos_.end() ? std::nullopt : dims_.resolve(info->second));
  }
  // Results left out at the end are not there, except where their number says what the others are.
  const std::optional<OpKind> kind = opByOnnxName(node.type);
  const bool isCounted =
      kind && !info(*kind).results.empty() && info(*kind).results.back().variadic;
  while (!isCounted && node.results.size() > 1 && node.results.back().empty()) {
    node.results.pop_back();
    node.declared.pop_back();
  }
  if (node.results.empty()) return failure(ErrorCode::BadOperands, "it has no outputs");
  return adapter(node);
}

void GraphImporter::bindCalled(const std::string& name, const Binding* inner, Scope& scope) {
  if (!name.empty()) scope.names.emplace(name, inner ? *inner : Binding{});
}

Result<> GraphImporter::inlineFunction(const pb::FunctionProto& proto, const pb::NodeProto& call,
                                       const std::string& origin, Scope& scope) {
  for (const Scope* caller = &scope; caller != nullptr; caller = caller->caller)
    if (caller->function == &proto) return invalid("its function calls itself");
  if (scope.depth >= options_.limits.nesting)
    return failure(ErrorCode::OverLimit,
                   fmt::format("functions are nested deeper than {}", options_.limits.nesting));
  ENFOLD_RETURN_IF_ERROR(countInlined(static_cast<int64_t>(proto.ByteSizeLong())));
  if (call.input_size() > proto.input_size() || call.output_size() > proto.output_size())
    return failure(ErrorCode::BadOperands,
                   fmt::format("its function has {} inputs and {} outputs, not {} and {}",
                               proto.input_size(), proto.output_size(), call.input_size(),
                               call.output_size()));
  Opsets opsets;
  for (const auto& import : proto.opset_import())
    opsets[canonicalDomain(import.domain())] = import.version();
  if (opsets.empty()) opsets = *scope.opsets;
  Attributes attributes;
  for (const auto& attr : call.attribute()) attributes.emplace(attr.name(), attr);
  for (const auto& attr : proto.attribute_proto()) attributes.emplace(attr.name(), attr);

  Scope body;
  body.caller = &scope;
  body.function = &proto;
  body.opsets = &opsets;
  body.attributes = &attributes;
  body.prefix = origin;
  body.read = namesReadBy(proto);
  body.depth = scope.depth + 1;
  for (int i = 0; i < proto.input_size(); ++i) {
    Binding binding{Binding::State::Absent, nullptr};
    if (i < call.input_size() && !call.input(i).empty()) {
      const Binding* outer = scope.find(call.input(i));
      if (outer == nullptr && !scope.order->producers.contains(call.input(i)))
        return failure(ErrorCode::UndefinedName,
                       fmt::format("its input '{}' is defined nowhere", call.input(i)));
      binding = outer ? *outer : Binding{};
    }
    body.names.emplace(proto.input(i), binding);
  }
  for (int i = 0; i < call.output_size(); ++i)
    if (!call.output(i).empty())
      body.wishes.emplace(proto.output(i), nameFor(call.output(i), scope));
  NodeList nodes = proto.node();
  importNodes(nodes, body);
  for (int i = 0; i < call.output_size(); ++i)
    bindCalled(call.output(i), body.find(proto.output(i)), scope);
  return {};
}

} // namespace enfold::onnx
