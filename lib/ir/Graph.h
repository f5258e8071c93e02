// The Graph IR: static single assignment over tensors.
//
// A Graph owns its inputs and its ops, which stand in topological order; an Op owns its results.
// Values know their users. Only Builder-like code (importer, parser, zoo) adds ops directly; passes
// change a graph through the Rewriter alone.
#pragma once

#include "ir/OpInfo.h"

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>

namespace enfold {

class Graph;
class Op;

class Value {
public:
  Value() = default;
  /// A value of no graph, which stands for any of that type while types are inferred.
  explicit Value(Type type) : type_(std::move(type)) {}

  const std::string& name() const { return name_; }
  const Type& type() const { return type_; }
  const Shape& shape() const { return type_.shape; }
  ElemType elem() const { return type_.elem; }
  /// The op that computes it; null for a graph input.
  Op* producer() const { return producer_; }
  /// Which result of its producer it is.
  size_t resultIndex() const { return index_; }
  /// Ops that read it, once per operand that is this value.
  std::span<Op* const> users() const { return users_; }
  /// How often it is a graph output.
  int outputUses() const { return outputUses_; }
  /// Operand uses plus graph outputs: 1 means a single reader.
  size_t numUses() const { return users_.size() + static_cast<size_t>(outputUses_); }
  /// The value of a constant, else null.
  const Tensor* constant() const;

private:
  friend class Graph;
  friend class Op;
  std::string name_;
  Type type_;
  Op* producer_ = nullptr;
  size_t index_ = 0;
  std::vector<Op*> users_;
  int outputUses_ = 0;
};

/// One step of an epilogue: an elementwise op applied to the running result. `args` are its
/// operands in order; kAccumulator is the running result, other numbers index the op's operands,
/// kAbsent is an omitted optional operand. A step may change the element type of the running
/// result, never its shape. It rounds as the op alone would: the running result is what a tensor
/// between the two ops would hold.
struct EpilogueStep {
  static constexpr int kAccumulator = -1;
  static constexpr int kAbsent = -2;

  OpKind kind;
  AttrMap attrs;
  std::vector<int> args;
  /// Element type of the running result that the step reads; whoever makes the op need not say.
  ElemType from = ElemType::Undefined;

  bool operator==(const EpilogueStep&) const = default;
};

class Op {
public:
  OpKind kind() const { return kind_; }
  const OpInfo& info() const { return enfold::info(kind_); }

  /// All operands; null for an absent optional one. The first numOwnOperands() belong to the op
  /// itself, the rest to its epilogue.
  std::span<Value* const> operands() const { return operands_; }
  std::span<Value* const> ownOperands() const { return operands().first(numOwn_); }
  size_t numOwnOperands() const { return numOwn_; }
  /// Operand i, or null when absent or beyond the end.
  Value* operand(size_t i) const { return i < operands_.size() ? operands_[i] : nullptr; }
  /// Own operand i, or null when absent.
  Value* own(size_t i) const { return i < numOwn_ ? operands_[i] : nullptr; }

  size_t numResults() const { return results_.size(); }
  Value* result(size_t i = 0) const { return results_[i].get(); }

  std::span<const EpilogueStep> epilogue() const { return epilogue_; }
  /// Element type of its first result before the epilogue.
  ElemType ownElem() const { return epilogue_.empty() ? result()->elem() : epilogue_.front().from; }
  /// Element type of the running result behind step `step` of the epilogue.
  ElemType elemBehind(size_t step) const {
    return step + 1 < epilogue_.size() ? epilogue_[step + 1].from : result()->elem();
  }

  const AttrMap& attrs() const { return attrs_; }
  bool hasAttr(std::string_view name) const { return attrs_.contains(name); }
  /// The attribute, its default, or for an absent optional one the empty value of its kind.
  int64_t integer(std::string_view name) const;
  float real(std::string_view name) const;
  std::string string(std::string_view name) const;
  std::vector<int64_t> ints(std::string_view name) const;
  ElemType elem(std::string_view name) const;
  const Tensor& tensor(std::string_view name) const;

  /// Names of the ONNX nodes whose work this op does, in the order of the model.
  std::span<const std::string> origins() const { return origins_; }
  /// "conv '/conv1/Conv'" for messages; falls back to the result's name.
  std::string describe() const;

  Graph& graph() const { return *graph_; }

private:
  friend class Graph;
  Graph* graph_ = nullptr;
  OpKind kind_ = OpKind::Identity;
  std::vector<Value*> operands_;
  size_t numOwn_ = 0;
  std::vector<std::unique_ptr<Value>> results_;
  std::vector<EpilogueStep> epilogue_;
  AttrMap attrs_;
  std::vector<std::string> origins_;
  std::list<std::unique_ptr<Op>>::iterator position_;
};

/// Everything needed to make an op; `resultTypes` is filled by inference when empty.
struct OpSpec {
  OpKind kind;
  std::vector<Value*> operands;
  AttrMap attrs = {};
  std::vector<std::string> resultNames = {}; ///< wishes: made unique; missing ones are invented
  size_t numResults = 1;
  std::vector<Type> resultTypes = {};
  std::vector<std::string> origins = {};
  std::vector<EpilogueStep> epilogue = {};
  std::vector<Value*> epilogueOperands = {}; ///< appended behind the own operands
};

class Graph {
public:
  explicit Graph(std::string name = "main");
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  ~Graph();

  const std::string& name() const { return name_; }
  std::span<const std::unique_ptr<Value>> inputs() const { return inputs_; }
  std::span<Value* const> outputs() const { return outputs_; }
  /// Names the model's outputs go by: they survive whatever a pass does to the values.
  std::span<const std::string> outputNames() const { return outputNames_; }
  const std::list<std::unique_ptr<Op>>& ops() const { return ops_; }
  size_t numOps() const { return ops_.size(); }

  Value* addInput(std::string name, Type type);
  /// The model's output `name` is `value`.
  void addOutput(Value* value, std::string name);

  /// Makes an op at the end, or before `before`. Checks operand count, attributes and types; the
  /// error names the op. `constants` helps inference with values that are not constants yet.
  Result<Op*> create(OpSpec spec, Op* before = nullptr);
  Result<Op*> create(OpSpec spec, Op* before,
                     const std::function<const Tensor*(const Value*)>& constants);
  /// A constant at the end, or before `before`; never fails.
  Value* constant(Tensor tensor, std::string name, Op* before = nullptr,
                  std::vector<std::string> origins = {});

  /// The value of that name; null if there is none.
  Value* find(std::string_view name) const;

  /// Constants of more than a page lose their numbers, which must not be read again: for graphs
  /// that are compiled. What types depend on (axes, sizes, scales) is smaller and stays.
  void forgetConstants();

  std::unique_ptr<Graph> clone() const;
  /// Same structure, names, types, attributes and constants, op by op.
  bool structurallyEquals(const Graph& other) const;

private:
  friend class Rewriter;
  // The ways a graph changes; the Rewriter is the only caller.
  void replaceUses(Value* from, Value* to);
  void setOperand(Op* op, size_t index, Value* value);
  void setOutput(size_t index, Value* value);
  void setAttr(Op* op, std::string name, AttrValue value);
  void removeAttr(Op* op, std::string_view name);
  void setType(Value* value, Type type);
  void setEpilogue(Op* op, std::vector<EpilogueStep> steps, std::vector<Value*> operands);
  void addOrigins(Op* op, std::span<const std::string> origins);
  void rename(Value* value, std::string name);
  void moveBefore(Op* op, Op* before);
  void erase(Op* op);
  void removeInput(Value* input);

  std::string uniqueName(std::string wish);
  void addUse(Value* value, Op* user);
  void removeUse(Value* value, Op* user);

  std::string name_;
  std::vector<std::unique_ptr<Value>> inputs_;
  std::vector<Value*> outputs_;
  std::vector<std::string> outputNames_;
  std::list<std::unique_ptr<Op>> ops_;
  std::unordered_map<std::string, Value*> names_;
  uint64_t nextName_ = 0;
};

} // namespace enfold
