// An ONNX node on its way into the graph: operands resolved, attributes decoded, but still in the
// form of its own opset. Adapters (OperatorTable.h) bring it to the newest form and emit ops.
#pragma once

#include "ir/Graph.h"
#include "ir/Infer.h"
#include "support/ErrorCodes.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace enfold::onnx {

using Values = std::vector<Value*>;

class Node {
public:
  std::string type;   ///< "Conv"
  int64_t opset = 0;  ///< of the node's domain, as the model imports it
  Values operands;    ///< null where one is omitted
  AttrMap attrs;      ///< as the node has them; integers that mean types are still integers
  std::string origin; ///< the node's name, or one made up for it
  std::vector<std::string> results;          ///< names; empty where one is omitted
  std::vector<std::optional<Type>> declared; ///< of the results, where the model states them

  /// What is beyond one node: the graph, what is known of values, and names not yet taken.
  struct Environment {
    Graph& graph;
    const ConstantLookup& known;
    const std::function<std::string(std::string)>& freshName;
    int64_t nchwcBlock = 0; ///< channels of a block, in operators of com.microsoft.nchwc
  };
  explicit Node(const Environment& environment) : environment_(environment) {}

  Graph& graph() const { return environment_.graph; }
  Value* operand(size_t i) const { return i < operands.size() ? operands[i] : nullptr; }
  /// Operand i, which the node must have.
  Result<Value*> required(size_t i) const;
  /// The value of an operand if it is known now, else null.
  const Tensor* known(const Value* value) const { return environment_.known(value); }
  int64_t nchwcBlock() const { return environment_.nchwcBlock; }
  bool wantsResult(size_t i) const { return i < results.size() && !results[i].empty(); }

  /// Removes an attribute and returns it, if there is one of the kind T; a different kind is an
  /// error.
  template <typename T> Result<std::optional<T>> take(std::string_view name);
  template <typename T> Result<T> take(std::string_view name, T fallback);
  /// Removes the attribute that `row` describes as the op table would, and returns its value or the
  /// default; a value that the row does not allow is an error. For attributes of older forms.
  template <typename T> Result<T> takeRow(std::string_view row);
  /// Removes attributes without effect on inference.
  void drop(std::initializer_list<std::string_view> names);

  /// Makes operand i, padding with absent ones before it.
  void setOperand(size_t i, Value* value);
  /// Makes what an attribute states operand i, which the node must not have as well.
  Result<> addOperand(size_t i, Value* value, std::string_view attr);
  /// Turns an attribute of integers, if given, into operand i.
  Result<> attrToOperand(std::string_view attr, size_t i);

  /// An intermediate constant, named after the node and its role.
  Value* constant(Tensor tensor, std::string_view role);
  Value* intsConstant(const std::vector<int64_t>& values, std::string_view role);
  /// A constant of one element, of the element type and rank 0.
  Value* scalarConstant(ElemType elem, double value, std::string_view role);

  /// An intermediate op with one result; a null operand is an absent one.
  Result<Value*> emit(OpKind kind, Values operands, AttrMap attrs = {});
  /// As emit, of an op with several results.
  Result<Values> emitAll(OpKind kind, Values operands, size_t numResults);
  /// As emit, but the result is the node's first one.
  Result<Values> finish(OpKind kind, Values operands, AttrMap attrs = {});
  /// The node's results are `values`, of which it wants the first ones or less; all attributes must
  /// have been taken.
  Result<Values> finishAs(const Values& values);
  /// An op of `kind` with this node's operands, attributes and results.
  Result<Values> finish(OpKind kind);
  /// The same of the kind that has the node's name.
  Result<Values> finish();

private:
  /// `stated` types hold where inference cannot tell because a value is not known.
  Result<Op*> create(OpSpec spec, std::span<const std::optional<Type>> stated);

  Environment environment_;
};

template <typename T> Result<std::optional<T>> Node::take(std::string_view name) {
  const auto it = attrs.find(name);
  if (it == attrs.end()) return std::nullopt;
  T* value = std::get_if<T>(&it->second);
  if (value == nullptr)
    return failure(ErrorCode::BadAttribute, "attribute '" + std::string(name) +
                                                "' is of the wrong kind, " +
                                                std::string(enfold::name(kindOf(it->second))));
  std::optional<T> taken(std::move(*value));
  attrs.erase(it);
  return taken;
}

template <typename T> Result<T> Node::take(std::string_view name, T fallback) {
  ENFOLD_TRY(std::optional<T> value, take<T>(name));
  return value ? std::move(*value) : std::move(fallback);
}

template <typename T> Result<T> Node::takeRow(std::string_view row) {
  const AttrInfo info = parseAttr(row);
  if (const auto it = attrs.find(info.name); it != attrs.end())
    ENFOLD_RETURN_IF_ERROR(checkAttr(info, it->second, type));
  return take<T>(info.name, info.defaultValue ? std::get<T>(*info.defaultValue) : T{});
}

} // namespace enfold::onnx
