// Building ops out of an adapted node; conversion of attributes to what the op table wants.
#include "onnx/Node.h"

#include "onnx/TensorCodec.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <algorithm>

namespace enfold::onnx {
namespace {

bool hasStashType(OpKind kind) {
  return kind == OpKind::LayerNormalization || kind == OpKind::GroupNormalization ||
         kind == OpKind::RMSNormalization;
}

/// Removes what does not change the results: the type of moments, since enfold computes at least as
/// precisely as any of them, and hints on reusing memory.
Result<> dropHints(Node& node, OpKind kind) {
  if (hasStashType(kind))
    ENFOLD_RETURN_IF_ERROR(node.takeRow<int64_t>(
        "stash_type: int = 1 in {1, 10, 11, 16}")); // floats, as ONNX has them
  ENFOLD_RETURN_IF_ERROR(node.take<std::vector<int64_t>>("consumed_inputs"));
  return {};
}

/// Fits the attributes to the row: integers become types where the row has a type.
Result<AttrMap> fitAttrs(const OpInfo& row, const AttrMap& given) {
  AttrMap attrs;
  for (const auto& [name, value] : given) {
    const AttrInfo* wanted = row.attr(name);
    if (wanted == nullptr || wanted->own)
      return failure(ErrorCode::BadAttribute,
                     fmt::format("it has the attribute '{}', which its operator lacks", name));
    const bool number = kindOf(value) == AttrKind::Int;
    if (wanted->kind == AttrKind::Type && number) {
      const int64_t type = std::get<int64_t>(value);
      if (type == 0 && !wanted->required) continue;
      if (type < INT32_MIN || type > INT32_MAX)
        return failure(ErrorCode::BadAttribute,
                       fmt::format("attribute '{}' is no element type", name));
      ENFOLD_TRY(const ElemType elem, decodeElemType(static_cast<int>(type)));
      attrs.emplace(name, elem);
    } else {
      attrs.emplace(name, value);
    }
  }
  return attrs;
}

} // namespace

Result<Value*> Node::required(size_t i) const {
  if (Value* value = operand(i)) return value;
  return failure(ErrorCode::BadOperands, fmt::format("its input {} is missing", i));
}

void Node::drop(std::initializer_list<std::string_view> names) {
  for (std::string_view name : names)
    if (auto it = attrs.find(name); it != attrs.end()) attrs.erase(it);
}

void Node::setOperand(size_t i, Value* value) {
  if (operands.size() <= i) operands.resize(i + 1, nullptr);
  operands[i] = value;
}

Result<> Node::addOperand(size_t i, Value* value, std::string_view attr) {
  if (operand(i))
    return failure(ErrorCode::BadAttribute,
                   fmt::format("its input {} and its attribute '{}' state the same", i, attr));
  setOperand(i, value);
  return {};
}

Result<> Node::attrToOperand(std::string_view attr, size_t i) {
  ENFOLD_TRY(const auto values, take<std::vector<int64_t>>(attr));
  return values ? addOperand(i, intsConstant(*values, attr), attr) : Result<>{};
}

Value* Node::constant(Tensor tensor, std::string_view role) {
  const std::string stem = results.empty() || results[0].empty() ? origin : results[0];
  return graph().constant(std::move(tensor),
                          environment_.freshName(fmt::format("{}.{}", stem, role)), nullptr,
                          {origin});
}

Value* Node::intsConstant(const std::vector<int64_t>& values, std::string_view role) {
  return constant(Tensor::of<int64_t>({static_cast<int64_t>(values.size())}, values), role);
}

Value* Node::scalarConstant(ElemType elem, double value, std::string_view role) {
  Tensor tensor(elem, {});
  tensor.setDouble(0, value);
  return constant(std::move(tensor), role);
}

Result<Op*> Node::create(OpSpec spec, std::span<const std::optional<Type>> stated) {
  spec.origins = {origin};
  const auto& named = enfold::info(spec.kind).operands;
  const bool isVariadic = !named.empty() && named.back().variadic; // of which none may be absent
  while (!isVariadic && !spec.operands.empty() && spec.operands.back() == nullptr)
    spec.operands.pop_back();
  auto op = graph().create(spec, nullptr, environment_.known);
  if (op || op.error().kind != ErrorKind::DataDependent || stated.size() != spec.numResults)
    return op;
  for (const auto& type : stated) {
    if (!type) return op;
    spec.resultTypes.push_back(*type);
  }
  return graph().create(std::move(spec), nullptr, environment_.known);
}

Result<Value*> Node::emit(OpKind kind, Values operands, AttrMap attrs) {
  const std::string stem = results.empty() || results[0].empty() ? origin : results[0];
  const std::string name = environment_.freshName(fmt::format("{}.{}", stem, enfold::name(kind)));
  OpSpec spec{.kind = kind,
              .operands = std::move(operands),
              .attrs = std::move(attrs),
              .resultNames = {name}};
  ENFOLD_TRY(const Op* op, create(std::move(spec), {}));
  return op->result();
}

Result<Values> Node::emitAll(OpKind kind, Values operands, size_t numResults) {
  OpSpec spec{.kind = kind, .operands = std::move(operands), .numResults = numResults};
  const std::string stem = results.empty() || results[0].empty() ? origin : results[0];
  for (size_t i = 0; i < numResults; ++i)
    spec.resultNames.push_back(
        environment_.freshName(fmt::format("{}.{}", stem, enfold::info(kind).results[i].name)));
  ENFOLD_TRY(const Op* op, create(std::move(spec), {}));
  Values made;
  for (size_t i = 0; i < op->numResults(); ++i) made.push_back(op->result(i));
  return made;
}

Result<Values> Node::finish(OpKind kind, Values operands, AttrMap attrs) {
  this->operands = std::move(operands);
  this->attrs = std::move(attrs);
  if (results.size() > 1) results.resize(1);
  if (declared.size() > 1) declared.resize(1);
  return finish(kind);
}

Result<Values> Node::finishAs(const Values& values) {
  if (!attrs.empty())
    return failure(ErrorCode::BadAttribute,
                   fmt::format("it has no attribute '{}'", attrs.begin()->first));
  Values made;
  for (size_t i = 0; i < std::min(results.size(), values.size()); ++i) {
    if (!wantsResult(i)) {
      made.push_back(values[i]);
      continue;
    }
    OpSpec spec{.kind = OpKind::Identity,
                .operands = {values[i]},
                .attrs = {},
                .resultNames = {results[i]}};
    ENFOLD_TRY(const Op* op, create(std::move(spec), {}));
    made.push_back(op->result());
  }
  return made;
}

Result<Values> Node::finish(OpKind kind) {
  ENFOLD_RETURN_IF_ERROR(dropHints(*this, kind));
  ENFOLD_TRY(AttrMap fitted, fitAttrs(enfold::info(kind), attrs));
  OpSpec spec{.kind = kind, .operands = operands, .attrs = std::move(fitted)};
  for (const std::string& name : results)
    spec.resultNames.push_back(name.empty() ? environment_.freshName(origin + ".unused") : name);
  spec.numResults = std::max<size_t>(results.size(), 1);
  ENFOLD_TRY(const Op* op, create(std::move(spec), declared));
  Values made;
  for (size_t i = 0; i < op->numResults(); ++i) made.push_back(op->result(i));
  return made;
}

Result<Values> Node::finish() {
  const auto kind = opByOnnxName(type);
  ENFOLD_CHECK(kind.has_value(), "the operator table names an op that the op table lacks");
  return finish(*kind);
}

} // namespace enfold::onnx
