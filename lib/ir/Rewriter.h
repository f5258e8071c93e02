// The only way a pass changes a graph. Every rewrite instance is named and numbered, so that a
// pipeline can be cut after rewrite N; changes outside a permitted rewrite are a bug and abort.
#pragma once

#include "ir/Graph.h"

#include <limits>
#include <unordered_set>

namespace enfold {

class Rewriter {
public:
  /// `limit`: how many rewrites may happen in all (`--max-rewrites`).
  explicit Rewriter(Graph& graph, int64_t limit = std::numeric_limits<int64_t>::max())
      : graph_(graph), limit_(limit) {}

  Graph& graph() { return graph_; }
  int64_t count() const { return count_; }
  /// True once the limit stopped a rewrite.
  bool exhausted() const { return exhausted_; }
  /// Names of the rewrites done so far, in order: "fold-batchnorm %bn1".
  std::span<const std::string> log() const { return log_; }

  /// Asks for permission to do one rewrite; false once the limit is reached. All changes until the
  /// next begin() belong to it.
  [[nodiscard]] bool begin(std::string_view rewrite, const Op& subject);

  /// Takes back the permission just given, when the rewrite turned out not to apply. Nothing may
  /// have been changed.
  void retract();

  /// Makes an op before `before`; its types must infer (anything else is a bug of the pass).
  Op* create(OpSpec spec, Op* before);
  Value* constant(Tensor tensor, std::string name, Op* before);

  /// Every use of `from`, graph outputs included, becomes `to`, of the same type.
  void replace(Value* from, Value* to);
  /// Like replace, but the types may differ in layout.
  void replaceKeepingLayout(Value* from, Value* to);
  void setOperand(Op* op, size_t index, Value* value);
  void setAttr(Op* op, std::string name, AttrValue value);
  void removeAttr(Op* op, std::string_view name);
  void setLayout(Value* value, Layout layout);
  /// The model's output number `index` becomes `value`, of the same type but for its layout.
  void setOutput(size_t index, Value* value);
  /// Makes the elementwise op `user` the end of the epilogue of `producer`, whose result nobody
  /// else reads; its element type may change, its shape may not. `producer` moves to where `user`
  /// stood and its result takes over name and uses of the user's.
  void fuse(Op* producer, Op* user);
  /// Lets the epilogue of `user` convert its operand `index` itself, as the elementwise op does
  /// that computes it, from that op's first operand; its shape is that of the result.
  void convertInEpilogue(Op* user, size_t index);
  void addOrigins(Op* op, std::span<const std::string> origins);
  void rename(Value* value, std::string name) { graph_.rename(value, std::move(name)); }
  void moveBefore(Op* op, Op* before);
  /// Erases an op without uses.
  void erase(Op* op);
  /// Erases it, then its operands' producers, as long as nothing uses them. Gives what is gone.
  std::unordered_set<const Op*> eraseDead(Op* op);

private:
  void checkActive() const { ENFOLD_CHECK(active_, "graph changed outside a rewrite"); }

  Graph& graph_;
  int64_t limit_;
  int64_t count_ = 0;
  bool active_ = false;
  bool exhausted_ = false;
  std::vector<std::string> log_;
};

} // namespace enfold
