// Ownership, names and use lists of the Graph IR.
#include "ir/Graph.h"

#include "ir/Infer.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace enfold {
namespace {

/// Checks the attributes and leaves out those at their defaults.
Result<> checkAttrs(const OpInfo& info, AttrMap& attrs) {
  for (auto it = attrs.begin(); it != attrs.end();) {
    ENFOLD_RETURN_IF_ERROR(info.checkAttr(it->first, it->second));
    const auto& byDefault = info.attr(it->first)->defaultValue;
    it = byDefault && *byDefault == it->second ? attrs.erase(it) : std::next(it);
  }
  for (const AttrInfo& attr : info.attrs)
    if (attr.required && !attrs.contains(attr.name))
      return failure(ErrorCode::BadAttribute,
                     fmt::format("{} lacks its attribute '{}'", info.name, attr.name));
  return {};
}

Result<> checkEpilogue(const OpInfo& info, OpSpec& spec) {
  if (spec.epilogue.empty()) return {};
  if (!info.supportsEpilogue() || spec.numResults != 1)
    return invalid(fmt::format("{} takes no epilogue", info.name));
  for (EpilogueStep& step : spec.epilogue)
    ENFOLD_RETURN_IF_ERROR(checkAttrs(enfold::info(step.kind), step.attrs));
  return {};
}

/// Types of the results by inference, behind the epilogue if there is one.
Result<std::vector<Type>> inferredTypes(const OpInfo& info, OpSpec& spec,
                                        const ConstantLookup& constants) {
  auto types = inferTypes(info.kind, spec.operands, spec.attrs, spec.numResults, constants);
  if (spec.epilogue.empty()) return types;
  // Ops whose shape depends on data keep the element type of their first operand.
  if (!types && types.error().kind == ErrorKind::DataDependent && !spec.resultTypes.empty()) {
    types = std::vector{Type{spec.operands[0]->elem(), spec.resultTypes[0].shape, {}}};
    ENFOLD_RETURN_IF_ERROR(checkStatedTypes(info.kind, spec.operands, spec.attrs, *types));
  }
  if (!types) return types;
  std::vector<Value*> operands = spec.operands;
  operands.insert(operands.end(), spec.epilogueOperands.begin(), spec.epilogueOperands.end());
  ENFOLD_TRY(Type last,
             inferEpilogue(spec.epilogue, std::move((*types)[0]), operands, spec.operands.size()));
  return std::vector{std::move(last)};
}

/// Types of the results, by inference where it can tell, else as declared. A declared layout
/// stands.
Result<std::vector<Type>> resultTypes(const OpInfo& info, OpSpec& spec,
                                      const ConstantLookup& constants) {
  auto inferred = inferredTypes(info, spec, constants);
  if (spec.resultTypes.empty()) return inferred;
  if (spec.resultTypes.size() != spec.numResults)
    return invalid(fmt::format("{} declares {} results, not {}", info.name, spec.resultTypes.size(),
                               spec.numResults));
  if (!inferred) {
    if (inferred.error().kind != ErrorKind::DataDependent) return inferred;
    ENFOLD_RETURN_IF_ERROR(
        checkStatedTypes(info.kind, spec.operands, spec.attrs, spec.resultTypes));
    return spec.resultTypes;
  }
  for (size_t i = 0; i < inferred->size(); ++i) {
    const Type &declared = spec.resultTypes[i], &computed = (*inferred)[i];
    if (declared.elem != computed.elem || declared.shape != computed.shape)
      return invalid(fmt::format("{} gives {}, not {}", info.name, computed.str(), declared.str()));
  }
  return spec.resultTypes;
}

} // namespace

const Tensor* Value::constant() const {
  return producer_ && producer_->kind() == OpKind::Constant ? &producer_->tensor("value") : nullptr;
}

int64_t Op::integer(std::string_view n) const { return attrOr<int64_t>(info(), attrs_, n); }
float Op::real(std::string_view n) const { return attrOr<float>(info(), attrs_, n); }
std::string Op::string(std::string_view n) const { return attrOr<std::string>(info(), attrs_, n); }
std::vector<int64_t> Op::ints(std::string_view n) const {
  return attrOr<std::vector<int64_t>>(info(), attrs_, n);
}
ElemType Op::elem(std::string_view n) const { return attrOr<ElemType>(info(), attrs_, n); }
const Tensor& Op::tensor(std::string_view n) const {
  auto it = attrs_.find(n);
  ENFOLD_CHECK(it != attrs_.end(), "absent tensor attribute");
  return std::get<Tensor>(it->second);
}

std::string Op::describe() const {
  const std::string& what = !origins_.empty() && !origins_.front().empty() ? origins_.front()
                            : results_.empty()                             ? info().name
                                                                           : results_[0]->name();
  return fmt::format("{} '{}'", info().name, what);
}

Graph::Graph(std::string name) : name_(std::move(name)) {}
Graph::~Graph() = default;

namespace {

/// The name of an erased tensor stays reserved: only rename() can use it again.
/// So a name of the model never means another tensor than it does there.
void retireName(std::unordered_map<std::string, Value*>& names, const Value& value) {
  if (value.constant())
    names.erase(value.name());
  else
    names[value.name()] = nullptr;
}

} // namespace

Value* Graph::addInput(std::string name, Type type) {
  auto value = std::make_unique<Value>();
  value->name_ = uniqueName(std::move(name));
  value->type_ = std::move(type);
  value->index_ = inputs_.size();
  names_[value->name_] = value.get();
  inputs_.push_back(std::move(value));
  return inputs_.back().get();
}

void Graph::addOutput(Value* value, std::string name) {
  outputs_.push_back(value);
  outputNames_.push_back(std::move(name));
  ++value->outputUses_;
}

Result<Op*> Graph::create(OpSpec spec, Op* before) {
  return create(std::move(spec), before, constantOf);
}

Result<Op*> Graph::create(OpSpec spec, Op* before, const ConstantLookup& constants) {
  const OpInfo& info = enfold::info(spec.kind);
  ENFOLD_RETURN_IF_ERROR(checkOperands(info, spec.operands));
  ENFOLD_RETURN_IF_ERROR(checkAttrs(info, spec.attrs));
  ENFOLD_RETURN_IF_ERROR(checkEpilogue(info, spec));
  ENFOLD_TRY(std::vector<Type> types, resultTypes(info, spec, constants));

  auto op = std::make_unique<Op>();
  op->graph_ = this;
  op->kind_ = spec.kind;
  op->operands_ = std::move(spec.operands);
  op->numOwn_ = op->operands_.size();
  op->operands_.insert(op->operands_.end(), spec.epilogueOperands.begin(),
                       spec.epilogueOperands.end());
  op->epilogue_ = std::move(spec.epilogue);
  op->attrs_ = std::move(spec.attrs);
  op->origins_ = std::move(spec.origins);
  for (size_t i = 0; i < types.size(); ++i) {
    auto value = std::make_unique<Value>();
    value->name_ = uniqueName(i < spec.resultNames.size() ? spec.resultNames[i] : "");
    value->type_ = std::move(types[i]);
    value->producer_ = op.get();
    value->index_ = i;
    names_[value->name_] = value.get();
    op->results_.push_back(std::move(value));
  }
  Op* raw = op.get();
  for (Value* operand : raw->operands_) addUse(operand, raw);
  raw->position_ = ops_.insert(before ? before->position_ : ops_.end(), std::move(op));
  return raw;
}

Value* Graph::constant(Tensor tensor, std::string name, Op* before,
                       std::vector<std::string> origins) {
  auto op = create({.kind = OpKind::Constant,
                    .operands = {},
                    .attrs = {{"value", std::move(tensor)}},
                    .resultNames = {std::move(name)},
                    .origins = std::move(origins)},
                   before);
  ENFOLD_CHECK(op.has_value(), "a constant always has a type");
  return (*op)->result();
}

Value* Graph::find(std::string_view name) const {
  auto it = names_.find(std::string(name));
  return it == names_.end() ? nullptr : it->second;
}

void Graph::forgetConstants() {
  constexpr size_t kPage = 4096;
  for (const auto& op : ops_)
    if (op->kind() == OpKind::Constant)
      if (auto& value = std::get<Tensor>(op->attrs_.at("value")); value.numBytes() > kPage)
        value = Tensor(value.elem(), value.shape(), std::shared_ptr<const std::byte>());
}

std::unique_ptr<Graph> Graph::clone() const {
  auto copy = std::make_unique<Graph>(name_);
  std::unordered_map<const Value*, Value*> map{{nullptr, nullptr}};
  for (const auto& input : inputs_) map[input.get()] = copy->addInput(input->name(), input->type());
  for (const auto& op : ops_) {
    OpSpec spec{.kind = op->kind(), .operands = {}, .attrs = op->attrs_};
    for (Value* v : op->ownOperands()) spec.operands.push_back(map.at(v));
    for (Value* v : op->operands().subspan(op->numOwn_)) spec.epilogueOperands.push_back(map.at(v));
    spec.epilogue = op->epilogue_;
    spec.origins = op->origins_;
    spec.numResults = op->numResults();
    for (const auto& r : op->results_) {
      spec.resultNames.push_back(r->name());
      spec.resultTypes.push_back(r->type());
    }
    // The types are already right, and may rest on values only the importer knew.
    auto made = copy->create(std::move(spec), nullptr, constantOf);
    ENFOLD_CHECK(made.has_value(), made.error().str());
    for (size_t i = 0; i < op->numResults(); ++i) map[op->result(i)] = (*made)->result(i);
  }
  for (size_t i = 0; i < outputs_.size(); ++i)
    copy->addOutput(map.at(outputs_[i]), outputNames_[i]);
  return copy;
}

bool Graph::structurallyEquals(const Graph& other) const {
  std::unordered_map<const Value*, const Value*> map{{nullptr, nullptr}};
  const auto same = [&](const Value* a, const Value* b) {
    return a->name() == b->name() && a->type() == b->type();
  };
  const auto mapped = [&](std::span<Value* const> a, std::span<Value* const> b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](Value* x, Value* y) {
      auto it = map.find(x);
      return it != map.end() && it->second == y;
    });
  };
  if (name_ != other.name_ || inputs_.size() != other.inputs_.size() ||
      ops_.size() != other.ops_.size() || outputNames_ != other.outputNames_)
    return false;
  for (size_t i = 0; i < inputs_.size(); ++i) {
    if (!same(inputs_[i].get(), other.inputs_[i].get())) return false;
    map[inputs_[i].get()] = other.inputs_[i].get();
  }
  for (auto a = ops_.begin(), b = other.ops_.begin(); a != ops_.end(); ++a, ++b) {
    const Op &x = **a, &y = **b;
    if (x.kind_ != y.kind_ || x.attrs_ != y.attrs_ || x.epilogue_ != y.epilogue_ ||
        x.numOwn_ != y.numOwn_ || x.origins_ != y.origins_ ||
        x.results_.size() != y.results_.size() || !mapped(x.operands(), y.operands()))
      return false;
    for (size_t i = 0; i < x.results_.size(); ++i) {
      if (!same(x.result(i), y.result(i))) return false;
      map[x.result(i)] = y.result(i);
    }
  }
  return mapped(outputs_, other.outputs_);
}

void Graph::replaceUses(Value* from, Value* to) {
  for (Op* user : std::vector<Op*>(from->users_.begin(), from->users_.end()))
    for (Value*& operand : user->operands_)
      if (operand == from) {
        operand = to;
        removeUse(from, user);
        addUse(to, user);
      }
  for (Value*& output : outputs_)
    if (output == from) {
      output = to;
      --from->outputUses_;
      ++to->outputUses_;
    }
}

void Graph::setOperand(Op* op, size_t index, Value* value) {
  removeUse(op->operands_[index], op);
  op->operands_[index] = value;
  addUse(value, op);
}

void Graph::setOutput(size_t index, Value* value) {
  --outputs_[index]->outputUses_;
  outputs_[index] = value;
  ++value->outputUses_;
}

void Graph::setAttr(Op* op, std::string name, AttrValue value) {
  const auto valid = op->info().checkAttr(name, value);
  ENFOLD_CHECK(valid.has_value(), valid.error().str());
  const auto& byDefault = op->info().attr(name)->defaultValue;
  if (byDefault && *byDefault == value)
    op->attrs_.erase(name);
  else
    op->attrs_.insert_or_assign(std::move(name), std::move(value));
}

void Graph::removeAttr(Op* op, std::string_view name) {
  if (auto it = op->attrs_.find(name); it != op->attrs_.end()) op->attrs_.erase(it);
}

void Graph::setType(Value* value, Type type) { value->type_ = std::move(type); }

void Graph::setEpilogue(Op* op, std::vector<EpilogueStep> steps, std::vector<Value*> operands) {
  for (Value* operand : op->operands().subspan(op->numOwn_)) removeUse(operand, op);
  op->operands_.resize(op->numOwn_);
  op->operands_.insert(op->operands_.end(), operands.begin(), operands.end());
  for (Value* operand : operands) addUse(operand, op);
  op->epilogue_ = std::move(steps);
}

void Graph::addOrigins(Op* op, std::span<const std::string> origins) {
  for (const std::string& origin : origins)
    if (std::find(op->origins_.begin(), op->origins_.end(), origin) == op->origins_.end())
      op->origins_.push_back(origin);
}

void Graph::rename(Value* value, std::string name) {
  retireName(names_, *value);
  if (const auto it = names_.find(name); it != names_.end() && !it->second) names_.erase(it);
  value->name_ = uniqueName(std::move(name));
  names_[value->name_] = value;
}

void Graph::moveBefore(Op* op, Op* before) { ops_.splice(before->position_, ops_, op->position_); }

void Graph::erase(Op* op) {
  for (const auto& result : op->results_) {
    ENFOLD_CHECK(result->numUses() == 0, "erased an op whose result is used");
    retireName(names_, *result);
  }
  for (Value* operand : op->operands_) removeUse(operand, op);
  ops_.erase(op->position_);
}

void Graph::removeInput(Value* input) {
  ENFOLD_CHECK(input->numUses() == 0, "removed an input that is used");
  names_.erase(input->name_);
  std::erase_if(inputs_, [&](const auto& owned) { return owned.get() == input; });
  for (size_t i = 0; i < inputs_.size(); ++i) inputs_[i]->index_ = i;
}

/// The number of a name that looks invented, v12, else none.
static std::optional<uint64_t> inventedNumber(std::string_view name) {
  uint64_t number = 0;
  if (!name.starts_with('v')) return std::nullopt;
  const auto [end, code] = std::from_chars(name.data() + 1, name.data() + name.size(), number);
  const bool whole = code == std::errc() && end == name.data() + name.size();
  return whole && number < UINT32_MAX ? std::optional(number) : std::nullopt;
}

/// Inventions are new even when the name that a file gave, v12, has been given up since.
std::string Graph::uniqueName(std::string wish) {
  if (!wish.empty() && !names_.contains(wish)) {
    if (const auto number = inventedNumber(wish)) nextName_ = std::max(nextName_, *number + 1);
    return wish;
  }
  const std::string stem = wish.empty() ? "v" : wish + "_";
  std::string name;
  do name = fmt::format("{}{}", stem, nextName_++);
  while (names_.contains(name));
  return name;
}

void Graph::addUse(Value* value, Op* user) {
  if (value) value->users_.push_back(user);
}

void Graph::removeUse(Value* value, Op* user) {
  if (!value) return;
  auto it = std::find(value->users_.begin(), value->users_.end(), user);
  ENFOLD_CHECK(it != value->users_.end(), "use list out of step");
  value->users_.erase(it);
}

} // namespace enfold
