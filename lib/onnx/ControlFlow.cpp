// Subgraphs. A branch that is known is imported in place of its node; of a condition that only
// running tells, both are, and each result is selected. Loops are written out, iteration by
// iteration; where data may end one early, what the iterations left out would have carried on is
// selected away.
#include "onnx/Attributes.h"
#include "onnx/GraphImporter.h"
#include "onnx/ScanAttributes.h"
#include "onnx/adapters/Compose.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <algorithm>

namespace enfold::onnx {
namespace {

/// Iterations that are written out, unless the limit is lower: what has more ends there when it
/// runs.
constexpr int64_t kMostIterations = 1 << 14;
/// Nodes that are written out of a loop that data may end early.
constexpr int64_t kMostNodesOfOpenLoop = 1 << 12;

std::unexpected<Error> tooManyIterations(int64_t most) {
  return std::unexpected(
      Error(ErrorKind::DataDependent, fmt::format("it has more than {} iterations", most)));
}

Result<> checkCount(std::string_view what, int found, int wanted) {
  if (found == wanted) return {};
  return failure(ErrorCode::BadOperands,
                 fmt::format("its {} has {} outputs instead of {}", what, found, wanted));
}

/// Part `i` of x along an axis, without it.
Result<Value*> partOf(Node& node, Value* x, int64_t axis, int64_t i) {
  Compose to(node);
  Shape shape = x->shape();
  shape.erase(shape.begin() + static_cast<ptrdiff_t>(axis));
  ENFOLD_TRY(Value * part, to.slice(x, axis, i, i + 1));
  return to.reshape(part, shape);
}

/// The parts one behind the other along a new axis.
Result<Value*> stacked(Node& node, const Values& parts, int64_t axis) {
  Compose to(node);
  ENFOLD_TRY(const int64_t along, normalizeAxis(axis, parts.front()->type().rank() + 1));
  Values wide;
  for (Value* part : parts) {
    Shape shape = part->shape();
    if (shape != parts.front()->shape())
      return unsupported(fmt::format("its iterations give {} and {}", parts.front()->type().str(),
                                     part->type().str()));
    shape.insert(shape.begin() + static_cast<ptrdiff_t>(along), 1);
    ENFOLD_TRY(Value * row, to.reshape(part, shape));
    wide.push_back(row);
  }
  return to.concat(std::move(wide), along);
}

} // namespace

Result<pb::GraphProto*> GraphImporter::subgraphOf(pb::NodeProto& node, std::string_view attribute) {
  for (auto& attr : *node.mutable_attribute())
    if (attr.name() == attribute && attr.has_g()) return attr.mutable_g();
  return failure(ErrorCode::BadAttribute, fmt::format("it lacks its {}", attribute));
}

pb::NodeProto GraphImporter::withoutSubgraphs(const pb::NodeProto& node) {
  pb::NodeProto plain = node;
  auto& attrs = *plain.mutable_attribute();
  attrs.erase(std::remove_if(attrs.begin(), attrs.end(), [](const auto& a) { return a.has_g(); }),
              attrs.end());
  return plain;
}

Node GraphImporter::makeNode(const pb::NodeProto& proto, const std::string& origin, int64_t opset) {
  Node node({graph_, known_, freshName_, nchwcBlock_});
  node.type = proto.op_type();
  node.opset = opset;
  node.origin = origin;
  return node;
}

Result<std::optional<GraphImporter::Bindings>> GraphImporter::bindingsOf(const pb::NodeProto& proto,
                                                                         const Scope& scope) {
  Bindings bindings;
  bool failed = false;
  for (const std::string& name : proto.input()) {
    if (name.empty()) {
      bindings.push_back({Binding::State::Absent, nullptr});
      continue;
    }
    const Binding* binding = scope.find(name);
    if (binding == nullptr && !scope.order->producers.contains(name))
      return failure(ErrorCode::UndefinedName,
                     fmt::format("its input '{}' is defined nowhere", name));
    failed = failed || !binding || binding->state == Binding::State::Failed ||
             binding->state == Binding::State::Deferred;
    bindings.push_back(binding ? *binding : Binding{});
  }
  if (failed) return std::nullopt;
  return bindings;
}

Result<> GraphImporter::checkDepth(const Scope& scope) const {
  if (scope.depth < options_.limits.nesting) return {};
  return failure(ErrorCode::OverLimit,
                 fmt::format("subgraphs are nested deeper than {}", options_.limits.nesting));
}

Result<> GraphImporter::countInlined(int64_t bytes) {
  inlinedBytes_ += bytes;
  if (inlinedBytes_ <= options_.limits.expandedBytes) return {};
  overLimits_ = true;
  return failure(ErrorCode::OverLimit,
                 fmt::format("the model's functions and loops, written out, are over the limit "
                             "of {} bytes",
                             options_.limits.expandedBytes));
}

GraphImporter::Scope GraphImporter::scopeWithin(Scope& outer, const std::string& prefix) const {
  Scope scope;
  scope.outer = scope.caller = &outer;
  scope.opsets = outer.opsets;
  scope.attributes = outer.attributes;
  scope.prefix = prefix;
  scope.depth = outer.depth + 1;
  return scope;
}

GraphImporter::Bindings GraphImporter::importBody(pb::GraphProto& graph, const Bindings& inputs,
                                                  Scope& scope) {
  scope.read = namesReadBy(graph);
  importInitializers(graph, scope);
  for (int i = 0; i < graph.input_size() && static_cast<size_t>(i) < inputs.size(); ++i)
    scope.names.insert_or_assign(graph.input(i).name(), inputs[static_cast<size_t>(i)]);
  importNodes(*graph.mutable_node(), scope);
  Bindings outputs;
  for (const auto& output : graph.output()) {
    const Binding* binding = scope.find(output.name());
    outputs.push_back(binding ? *binding : Binding{});
  }
  return outputs;
}

// ---- Branches -----------------------------------------------------------------------------------

Result<GraphImporter::Bindings> GraphImporter::importBranch(pb::NodeProto& node,
                                                            std::string_view which,
                                                            const std::string& origin, bool isOnly,
                                                            Scope& scope) {
  ENFOLD_TRY(pb::GraphProto * graph, subgraphOf(node, which));
  ENFOLD_RETURN_IF_ERROR(checkCount(which, graph->output_size(), node.output_size()));
  Scope branch = scopeWithin(scope, origin);
  for (int i = 0; isOnly && i < node.output_size(); ++i)
    if (!node.output(i).empty())
      branch.wishes.emplace(graph->output(i).name(), nameFor(node.output(i), scope));
  return importBody(*graph, {}, branch);
}

Result<> GraphImporter::importIf(pb::NodeProto& node, const std::string& origin, Scope& scope) {
  ENFOLD_TRY(const auto operands, operandsOf(node, scope));
  if (!operands) return {};
  if (operands->size() != 1 || !operands->front())
    return failure(ErrorCode::BadAttribute, "it lacks its condition");
  ENFOLD_RETURN_IF_ERROR(checkDepth(scope));
  Value* condition = operands->front();
  if (condition->elem() != ElemType::Bool || condition->type().numElements() != 1)
    return failure(ErrorCode::TypeMismatch,
                   fmt::format("its condition is {}, not one bool", condition->type().str()));
  if (const Tensor* known = known_(condition)) {
    const std::string_view which = known->asInt(0) != 0 ? "then_branch" : "else_branch";
    ENFOLD_TRY(const Bindings chosen, importBranch(node, which, origin, true, scope));
    for (int i = 0; i < node.output_size(); ++i)
      bindCalled(node.output(i), &chosen[static_cast<size_t>(i)], scope);
    return {};
  }
  ENFOLD_TRY(const Bindings yes, importBranch(node, "then_branch", origin, false, scope));
  ENFOLD_TRY(const Bindings no, importBranch(node, "else_branch", origin, false, scope));
  for (int i = 0; i < node.output_size(); ++i) {
    const auto n = static_cast<size_t>(i);
    if (yes[n].state == Binding::State::Failed || no[n].state == Binding::State::Failed) continue;
    const std::string name =
        node.output(i).empty() ? freshName(origin + ".select") : nameFor(node.output(i), scope);
    ENFOLD_TRY(const Binding chosen, selected(condition, yes[n], no[n], name, origin));
    bindCalled(node.output(i), &chosen, scope);
  }
  return {};
}

Result<GraphImporter::Binding> GraphImporter::selected(Value* condition, const Binding& yes,
                                                       const Binding& no, const std::string& name,
                                                       const std::string& origin) {
  if (yes == no) return yes;
  const auto decided = [](std::string what) {
    return std::unexpected(Error(ErrorKind::DataDependent, std::move(what)));
  };
  if (!yes.value || !no.value)
    return decided("data decide between sequences, or whether there is a tensor");
  if (yes.value->type() != no.value->type())
    return decided(fmt::format("data decide whether '{}' is {} or {}", name,
                               yes.value->type().str(), no.value->type().str()));
  OpSpec spec{.kind = OpKind::Select,
              .operands = {condition, yes.value, no.value},
              .resultNames = {name},
              .origins = {origin}};
  ENFOLD_TRY(const Op* op, graph_.create(std::move(spec), nullptr, known_));
  return Binding{Binding::State::Known, op->result()};
}

// ---- Loops --------------------------------------------------------------------------------------

/// The rows a loop gives for each iteration; of none, the type that the body declares.
Result<Value*> GraphImporter::stackedRows(Node& node, const Values& rows, int64_t axis,
                                          const pb::ValueInfoProto& declared) {
  if (!rows.empty()) return stacked(node, rows, axis);
  ENFOLD_TRY(const DeclaredType type, readType(declared));
  auto resolved = dims_.resolve(type);
  if (!resolved)
    return std::unexpected(
        Error(ErrorKind::DataDependent,
              fmt::format("it has no iterations, and '{}' no declared shape", declared.name())));
  ENFOLD_TRY(const int64_t along, normalizeAxis(axis, resolved->rank() + 1));
  resolved->shape.insert(resolved->shape.begin() + static_cast<ptrdiff_t>(along), 0);
  return node.constant(Tensor(resolved->elem, resolved->shape), "rows");
}

Result<> GraphImporter::importLoop(pb::NodeProto& proto, const std::string& origin, Scope& scope) {
  ENFOLD_TRY(auto inputs, bindingsOf(proto, scope));
  if (!inputs) return {};
  ENFOLD_RETURN_IF_ERROR(checkDepth(scope));
  ENFOLD_TRY(pb::GraphProto * body, subgraphOf(proto, "body"));
  inputs->resize(std::max<size_t>(inputs->size(), 2), {Binding::State::Absent, nullptr});
  const size_t carried = inputs->size() - 2;
  const auto outputs = static_cast<size_t>(body->output_size());
  if (static_cast<size_t>(body->input_size()) != carried + 2 || outputs < carried + 1 ||
      static_cast<size_t>(proto.output_size()) > outputs - 1)
    return failure(ErrorCode::BadOperands, fmt::format("its body has {} inputs and {} outputs",
                                                       body->input_size(), outputs));
  Value *count = (*inputs)[0].value, *condition = (*inputs)[1].value;
  const Tensor* trips = count ? known_(count) : nullptr;
  if (count && (!trips || trips->numElements() != 1))
    return std::unexpected(Error(ErrorKind::DataDependent,
                                 fmt::format("the number of its iterations depends on the data of "
                                             "'{}'",
                                             count->name())));
  const int64_t most = std::min(kMostIterations, options_.limits.iterations);
  const bool isLong = trips ? trips->asInt(0) > most : !count;
  if (isLong && !condition) return tooManyIterations(most);
  Node node = makeNode(proto, origin, opsetOf(proto, scope));
  Scope frame = scopeWithin(scope, origin);
  frame.read = namesReadBy(*body);
  importInitializers(*body, frame);
  body->clear_initializer();
  body->clear_sparse_initializer();

  Value* active = nullptr; // whether iterations are still to be done, where only running tells
  bool goesOn = true;
  const auto proceed = [&](Value* next) -> Result<> {
    const Tensor* known = known_(next);
    if (next->elem() != ElemType::Bool || next->type().numElements() != 1)
      return failure(ErrorCode::TypeMismatch,
                     fmt::format("its condition is {}, not one bool", next->type().str()));
    if (known) {
      goesOn = known->asInt(0) != 0;
      return {};
    }
    if (!active) {
      active = next;
      return {};
    }
    ENFOLD_TRY(next, Compose(node).reshape(next, active->shape()));
    Tensor no(ElemType::Bool, active->shape());
    ENFOLD_TRY(active,
               node.emit(OpKind::Select, {active, next, node.constant(std::move(no), "no")}));
    return {};
  };
  if (condition) ENFOLD_RETURN_IF_ERROR(proceed(condition));
  Bindings state(inputs->begin() + 2, inputs->end());
  std::vector<Values> rows(outputs - 1 - carried);
  bool isOpenEnded = false; // data decide how many rows there are
  for (int64_t i = 0; goesOn && !(trips && i >= trips->asInt(0)); ++i) {
    if (i == most) return tooManyIterations(most);
    if (active &&
        (!trips || trips->asInt(0) > kMostNodesOfOpenLoop / std::max(body->node_size(), 1)))
      return std::unexpected(
          Error(ErrorKind::DataDependent, "data decide how many iterations it has"));
    if (overLimits_) return {};
    ENFOLD_RETURN_IF_ERROR(countInlined(static_cast<int64_t>(body->ByteSizeLong())));
    isOpenEnded = isOpenEnded || active;
    Value* number = node.constant(Tensor::scalar(i), "iteration");
    Value* going = active ? active : node.constant(Tensor::scalar(true), "going");
    Bindings given = {{Binding::State::Known, number}, {Binding::State::Known, going}};
    given.insert(given.end(), state.begin(), state.end());
    pb::GraphProto iteration = *body;
    Scope inner = scopeWithin(frame, fmt::format("{}/{}", origin, i));
    const Bindings made = importBody(iteration, given, inner);
    for (const Binding& binding : made)
      if (binding.state == Binding::State::Failed) return {};
    for (size_t k = 0; k < carried; ++k) {
      Binding next = made[k + 1];
      if (active) {
        ENFOLD_TRY(next, selected(active, next, state[k], freshName(origin + ".state"), origin));
      }
      state[k] = next;
    }
    for (size_t k = 0; k < rows.size(); ++k) {
      if (!made[carried + 1 + k].value) return unsupported("an iteration gives no tensor");
      rows[k].push_back(made[carried + 1 + k].value);
    }
    if (!made[0].value) return invalid("its body gives no condition");
    if (condition) ENFOLD_RETURN_IF_ERROR(proceed(made[0].value)); // without one it goes on
  }
  for (int i = 0; i < proto.output_size(); ++i) {
    const auto n = static_cast<size_t>(i);
    if (proto.output(i).empty()) continue;
    if (n < carried) {
      bindCalled(proto.output(i), &state[n], scope);
      continue;
    }
    if (isOpenEnded)
      return std::unexpected(
          Error(ErrorKind::DataDependent,
                fmt::format("data decide how many rows '{}' has", proto.output(i))));
    ENFOLD_TRY(Value * all, stackedRows(node, rows[n - carried], 0, body->output(i + 1)));
    const Binding binding{Binding::State::Known, all};
    bindCalled(proto.output(i), &binding, scope);
  }
  return {};
}

Result<std::optional<GraphImporter::Bindings>>
GraphImporter::scanned(Node& node, const pb::GraphProto& body, Bindings states,
                       const Values& sources, const ScanAttributes& a, Scope& frame) {
  std::vector<int64_t> axes;
  for (size_t i = 0; i < sources.size(); ++i) {
    ENFOLD_TRY(const int64_t axis,
               normalizeAxis(ScanAttributes::at(a.inputAxes, i), sources[i]->type().rank()));
    axes.push_back(axis);
  }
  const auto length = [&](size_t i) { return sources[i]->shape()[static_cast<size_t>(axes[i])]; };
  const int64_t steps = length(0);
  for (size_t i = 1; i < sources.size(); ++i)
    if (length(i) != steps)
      return failure(ErrorCode::ShapeMismatch,
                     fmt::format("it scans axes of {} and {} elements", steps, length(i)));
  const int64_t most = std::min(kMostIterations, options_.limits.iterations);
  if (steps > most) return tooManyIterations(most);
  std::vector<Values> rows(static_cast<size_t>(body.output_size()) - states.size());
  for (int64_t t = 0; t < steps; ++t) {
    if (overLimits_) return std::nullopt;
    ENFOLD_RETURN_IF_ERROR(countInlined(static_cast<int64_t>(body.ByteSizeLong())));
    Bindings given = states;
    for (size_t i = 0; i < sources.size(); ++i) {
      const int64_t place = ScanAttributes::at(a.inputDirections, i) ? steps - 1 - t : t;
      ENFOLD_TRY(Value * part, partOf(node, sources[i], axes[i], place));
      given.push_back({Binding::State::Known, part});
    }
    pb::GraphProto iteration = body;
    Scope inner = scopeWithin(frame, fmt::format("{}/{}", node.origin, t));
    const Bindings made = importBody(iteration, given, inner);
    for (const Binding& binding : made)
      if (!binding.value) return std::nullopt;
    std::copy_n(made.begin(), states.size(), states.begin());
    for (size_t k = 0; k < rows.size(); ++k) rows[k].push_back(made[states.size() + k].value);
  }
  const int first = static_cast<int>(states.size());
  for (size_t k = 0; k < rows.size(); ++k) {
    if (ScanAttributes::at(a.outputDirections, k)) std::ranges::reverse(rows[k]);
    ENFOLD_TRY(Value * all, stackedRows(node, rows[k], ScanAttributes::at(a.outputAxes, k),
                                        body.output(first + static_cast<int>(k))));
    states.push_back({Binding::State::Known, all});
  }
  return states;
}

Result<> GraphImporter::importScan(pb::NodeProto& proto, const std::string& origin, Scope& scope) {
  ENFOLD_TRY(auto operands, operandsOf(proto, scope));
  if (!operands) return {};
  ENFOLD_RETURN_IF_ERROR(checkDepth(scope));
  ENFOLD_TRY(pb::GraphProto * body, subgraphOf(proto, "body"));
  const int64_t opset = opsetOf(proto, scope);
  Node node = makeNode(proto, origin, opset);
  pb::NodeProto plain = withoutSubgraphs(proto);
  ENFOLD_TRY(node.attrs, decodeAttributes(plain, external_, options_.limits));
  const bool hasBatch = opset < 9;
  if (hasBatch && !operands->empty()) {
    if (operands->front()) return unsupported("lengths of its sequences are not supported");
    operands->erase(operands->begin());
  }
  if (std::ranges::find(*operands, nullptr) != operands->end())
    return failure(ErrorCode::BadOperands, "one of its inputs is missing");
  ENFOLD_TRY(
      const ScanAttributes a,
      ScanAttributes::take(node, operands->size(), static_cast<size_t>(body->output_size())));
  if (!node.attrs.empty())
    return failure(ErrorCode::BadAttribute,
                   fmt::format("it has no attribute '{}'", node.attrs.begin()->first));
  if (static_cast<size_t>(body->input_size()) != operands->size())
    return failure(ErrorCode::BadOperands, fmt::format("its body has {} inputs instead of {}",
                                                       body->input_size(), operands->size()));
  ENFOLD_RETURN_IF_ERROR(checkCount("body", body->output_size(), proto.output_size()));
  Scope frame = scopeWithin(scope, origin);
  frame.read = namesReadBy(*body);
  importInitializers(*body, frame);
  body->clear_initializer();
  body->clear_sparse_initializer();
  const auto numStates = operands->size() - static_cast<size_t>(a.numInputs);
  const auto run = [&](const Values& given) {
    Bindings states;
    for (size_t i = 0; i < numStates; ++i) states.push_back({Binding::State::Known, given[i]});
    return scanned(node, *body, std::move(states),
                   Values(given.begin() + static_cast<ptrdiff_t>(numStates), given.end()), a,
                   frame);
  };
  Bindings results;
  if (!hasBatch) {
    ENFOLD_TRY(auto made, run(*operands));
    if (!made) return {};
    results = *std::move(made);
  } else {
    std::vector<Values> parts(static_cast<size_t>(proto.output_size()));
    for (const Value* operand : *operands)
      if (operand->shape().empty() || operand->shape()[0] != operands->front()->shape()[0] ||
          operand->shape()[0] < 1)
        return failure(ErrorCode::ShapeMismatch, "its inputs are not of one batch");
    for (int64_t b = 0; b < operands->front()->shape()[0]; ++b) {
      Values given;
      for (Value* operand : *operands) {
        ENFOLD_TRY(Value * part, partOf(node, operand, 0, b));
        given.push_back(part);
      }
      ENFOLD_TRY(const auto made, run(given));
      if (!made) return {};
      for (size_t i = 0; i < parts.size(); ++i) parts[i].push_back((*made)[i].value);
    }
    for (const Values& part : parts) {
      ENFOLD_TRY(Value * all, stacked(node, part, 0));
      results.push_back({Binding::State::Known, all});
    }
  }
  for (int i = 0; i < proto.output_size(); ++i)
    bindCalled(proto.output(i), &results[static_cast<size_t>(i)], scope);
  return {};
}

} // namespace enfold::onnx
