// Models in parts: which nodes are imported, which are left, and what passes between the parts.
#include "ir/Extract.h"
#include "onnx/NodeProcedure.h"
#include "reference/Work.h"

#include <fmt/format.h>

#include <algorithm>

namespace enfold::onnx {
namespace {

/// Seconds in the reference functions from which on a node is better compiled.
constexpr double kMuchWork = 2e-3;

/// Numbers that may decide types: sizes, axes, counts.
constexpr int64_t kMostDeciding = 64;

} // namespace

bool GraphImporter::readsDeferred(const pb::NodeProto& proto, const Scope& scope) const {
  if (!mustLeave_) return false;
  return std::ranges::any_of(namesRead(proto), [&](const std::string& name) {
    const Binding* binding = scope.find(name);
    return binding && binding->state == Binding::State::Deferred;
  });
}

void GraphImporter::importOrDefer(const pb::NodeProto& proto, int place, int number, Scope& scope) {
  const auto defer = [&] {
    for (const std::string& name : proto.output())
      if (!name.empty())
        scope.names.insert_or_assign(name, Binding{Binding::State::Deferred, nullptr});
    deferred_.push_back(place);
    mustLeave_ = true;
  };
  if (readsDeferred(proto, scope)) return defer();
  const size_t numOps = graph_.numOps();
  const std::string origin = originOf(proto, number, scope);
  Problems before = std::exchange(problems_, Problems());
  if (mode_ == Mode::Evaluate && isControl(proto)) {
    if (auto done = evaluateControl(proto, origin, scope); !done)
      problems_.add(std::move(done).error(), describe(proto, origin, scope));
    failResults(proto, scope);
  } else {
    pb::NodeProto own = proto;
    importNode(own, number, scope);
  }
  Problems found = std::exchange(problems_, std::move(before));
  if (mode_ == Mode::Cut && !found.empty() && found.kind() == ErrorKind::DataDependent) {
    const Error error = std::move(found).take();
    decided_.insert(place);
    decisions_.push_back({describe(proto, origin, scope), error.diags.front().message});
    return defer();
  }
  if (!found.empty()) return problems_.add(std::move(found).take(), "");
  if (mode_ != Mode::Evaluate) return;
  if (!procedure_->content().decided.contains(place) && isMuchWork(numOps)) return defer();
  if (auto computed = compute(proto, scope); !computed)
    problems_.add(std::move(computed).error(), describe(proto, origin, scope));
}

bool GraphImporter::isMuchWork(size_t numOps) const {
  double seconds = 0;
  auto op = graph_.ops().rbegin();
  for (size_t made = graph_.numOps() - numOps; made > 0; --made, ++op)
    seconds += reference::secondsOf(**op);
  return seconds > kMuchWork;
}

Result<> GraphImporter::compute(const pb::NodeProto& proto, const Scope& scope) {
  for (const std::string& name : proto.output())
    if (const Binding* binding = name.empty() ? nullptr : scope.find(name))
      if (const auto computed = datumOf(*binding); !computed)
        return std::unexpected(computed.error());
  return {};
}

GraphImporter::Binding GraphImporter::bindingOf(const std::string& name, const Datum& datum) {
  const auto constant = [&](const Tensor& tensor) { return graph_.constant(tensor, name); };
  switch (datum.kind) {
  case Datum::Kind::Tensor:
    return {Binding::State::Known, constant(datum.tensor())};
  case Datum::Kind::Sequence: {
    Values values;
    for (const Tensor& tensor : datum.tensors) values.push_back(constant(tensor));
    return {Binding::State::Known, nullptr, std::make_shared<const Values>(std::move(values))};
  }
  case Datum::Kind::Absent:
    return {Binding::State::Absent, nullptr};
  }
  return {};
}

Result<Datum> GraphImporter::datumOf(const Binding& binding) {
  if (binding.state == Binding::State::Absent) return Datum();
  Datum datum{binding.sequence ? Datum::Kind::Sequence : Datum::Kind::Tensor, {}};
  const Values single = {binding.value};
  for (const Value* value : binding.sequence ? *binding.sequence : single) {
    const Tensor* tensor = value ? known_(value) : nullptr;
    if (!tensor && knownValues_.failure()) return std::unexpected(*knownValues_.failure());
    if (!tensor) return unsupported("it cannot be computed from data at hand");
    datum.tensors.push_back(*tensor);
  }
  return datum;
}

Remainder GraphImporter::remainderOf(const NodeList& nodes, std::span<const std::string> outputs,
                                     const Scope& scope) {
  decides_ = false;
  Remainder remainder;
  remainder.decided = std::move(decisions_);
  for (const auto& input : graph_.inputs())
    remainder.inputs.push_back({input->name(), input->type()});
  std::set<std::string> needed(outputs.begin(), outputs.end());
  for (const int place : deferred_) needed.merge(namesRead(nodes[place]));
  std::vector<const Value*> given;
  const auto give = [&](const Value* value) {
    const auto found = std::ranges::find(given, value);
    const auto index = static_cast<size_t>(found - given.begin());
    if (found == given.end()) given.push_back(value);
    return index;
  };
  for (const std::string& name : needed) {
    const Binding* binding = scope.find(name);
    if (!binding || partInputNames_.contains(name)) continue;
    if (binding->state != Binding::State::Known && binding->state != Binding::State::Absent)
      continue;
    if (auto datum = datumOf(*binding)) {
      remainder.known.emplace(name, *std::move(datum));
      continue;
    }
    const bool isInput = binding->value && !binding->value->producer();
    if (isInput && binding->value->name() == name) continue; // at hand
    Remainder::Kept kept{name, Datum::Kind::Tensor, {}};
    if (binding->sequence) {
      kept.kind = Datum::Kind::Sequence;
      for (const Value* value : *binding->sequence) kept.outputs.push_back(give(value));
    } else {
      kept.outputs.push_back(give(binding->value));
    }
    remainder.kept.push_back(std::move(kept));
  }
  model_.graph = extract(graph_, given, {});
  return remainder;
}

void GraphImporter::leave(const pb::GraphProto& proto, const Scope& scope) {
  std::vector<std::string> outputs;
  for (const auto& output : proto.output()) outputs.push_back(output.name());
  model_.remainder = remainderOf(proto.node(), outputs, scope);
  auto content = contentOf(proto.node(), deferred_, outputs, model_.remainder.known);
  for (size_t i = 0; i < deferred_.size(); ++i)
    if (decided_.contains(deferred_[i])) content.decided.insert(static_cast<int>(i));
  content.model = context_;
  content.valueInfos = valueInfos_;
  content.opsets = *scope.opsets;
  model_.remainder.rest = std::make_shared<const NodeProcedure>(std::move(content));
}

GraphImporter::Scope GraphImporter::enter(const NodeProcedure& procedure) {
  const NodeProcedure::Content& content = procedure.content();
  procedure_ = &procedure;
  context_ = content.model;
  valueInfos_ = content.valueInfos;
  Scope scope;
  scope.opsets = &content.opsets;
  scope.attributes = content.attributes ? &*content.attributes : nullptr;
  scope.prefix = content.prefix;
  scope.depth = content.depth;
  scope.order = &procedure.order();
  scope.read = namesRead(content.nodes);
  scope.read.insert(content.outputs.begin(), content.outputs.end());
  for (const std::string& name : content.inputs) reserved_.insert(name);
  for (const auto& node : content.nodes)
    reserved_.insert(node.output().begin(), node.output().end());
  for (const auto& [name, datum] : content.constants) {
    const Binding binding = bindingOf(name, datum);
    if (binding.value) procedureConstants_.insert(binding.value);
    scope.names.emplace(name, binding);
  }
  return scope;
}

void GraphImporter::importNodesOf(const NodeProcedure& procedure, Scope& scope) {
  const NodeProcedure::Content& content = procedure.content();
  for (int place = 0; place < content.nodes.size(); ++place) {
    if (overLimits_ || !problems_.empty()) return;
    if (caller_)
      if (auto goesOn = caller_->proceed(); !goesOn)
        return problems_.add(std::move(goesOn).error(), "");
    importOrDefer(content.nodes[place], place, content.numbers[static_cast<size_t>(place)], scope);
  }
}

void GraphImporter::importProcedure(const NodeProcedure& procedure, const Data& data,
                                    const std::set<std::string>& bound, bool mayBind) {
  Scope scope = enter(procedure);
  const auto input = [&](const std::string& name, const Tensor& tensor, size_t index,
                         const std::string& called) {
    Value* value = graph_.addInput(called, tensor.type());
    partInputs_[value->name()] = {name, index};
    if (mayBind && tensor.numElements() <= kMostDeciding &&
        (tensor.rank() <= 1 || isInteger(tensor.elem())))
      contents_[value->name()] = &tensor;
    return value;
  };
  for (const std::string& name : procedure.inputs()) {
    const auto found = data.find(name);
    if (found == data.end()) continue; // a subgraph's own
    const Datum& datum = found->second;
    Binding binding{Binding::State::Known, nullptr};
    if (bound.contains(name) || datum.kind == Datum::Kind::Absent) {
      binding = bindingOf(name, datum);
    } else if (datum.isTensor()) {
      partInputNames_.insert(name);
      binding.value = input(name, datum.tensor(), 0, name);
    } else {
      partInputNames_.insert(name);
      Values values;
      for (size_t i = 0; i < datum.tensors.size(); ++i)
        values.push_back(
            input(name, datum.tensors[i], i, freshName(fmt::format("{}[{}]", name, i))));
      binding.sequence = std::make_shared<const Values>(std::move(values));
    }
    scope.names.emplace(name, std::move(binding));
  }
  importNodesOf(procedure, scope);
  if (!problems_.empty() || !decidingValues_.empty()) return;
  model_.remainder = remainderOf(procedure.content().nodes, procedure.outputs(), scope);
  if (!deferred_.empty())
    model_.remainder.rest = procedure.rest(deferred_, decided_, model_.remainder.known);
}

std::vector<int> GraphImporter::evaluateProcedure(const NodeProcedure& procedure, Data& data,
                                                  Procedure::Caller& caller) {
  caller_ = &caller;
  Scope scope = enter(procedure);
  for (const std::string& name : procedure.inputs())
    if (const auto found = data.find(name); found != data.end())
      scope.names.emplace(name, bindingOf(name, found->second));
  importNodesOf(procedure, scope);
  if (!problems_.empty()) return {};
  const auto& outputs = procedure.outputs();
  std::set<std::string> needed(outputs.begin(), outputs.end());
  for (const int place : deferred_) needed.merge(namesRead(procedure.content().nodes[place]));
  for (const std::string& name : needed) {
    const Binding* binding = scope.find(name);
    if (!binding || data.contains(name) || binding->state == Binding::State::Deferred) continue;
    auto datum = datumOf(*binding);
    if (!datum) {
      problems_.add(std::move(datum).error(), fmt::format("'{}'", name));
      return {};
    }
    data.emplace(name, *std::move(datum));
  }
  return deferred_;
}

} // namespace enfold::onnx
