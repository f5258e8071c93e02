// Walks the nodes of a model and builds the graph: scopes of names, functions and constant branches
// inlined, every problem collected so that all can be reported at once.
#pragma once

#include "onnx/ExternalData.h"
#include "onnx/Functions.h"
#include "onnx/Inputs.h"
#include "onnx/Node.h"
#include "onnx/NodeOrder.h"
#include "reference/KnownValues.h"

#include <set>
#include <unordered_set>

namespace enfold::onnx {

/// Problems found so far, of all kinds.
class Problems {
public:
  /// Adds the diags of an error; those without a node get `node`.
  void add(Error error, const std::string& node);
  bool empty() const { return diags_.empty(); }
  /// One error of all of them. Its kind is the gravest.
  Error take() &&;

private:
  ErrorKind kind_ = ErrorKind::DataDependent;
  std::vector<Diag> diags_;
};

class GraphImporter {
public:
  using Opsets = std::map<std::string, int64_t>;

  GraphImporter(ImportedModel& model, const ImportOptions& options, const Functions& functions,
                ExternalData& external);

  /// Fills the model's graph. Problems are collected, not returned.
  void import(pb::GraphProto& proto);
  Problems& problems() { return problems_; }
  /// Inputs with a default or a sample on which some shape depends, with that value.
  const std::map<std::string, Tensor>& decidingValues() const { return decidingValues_; }

private:
  const Tensor* decidingValue(const Value* input);
  /// What a name stands for.
  struct Binding {
    enum class State {
      Known,
      Absent, ///< an optional input of a function that the call leaves out, or an unread constant
      Failed, ///< computed by a node that could not be imported
    };
    State state = State::Failed;
    Value* value = nullptr;
    /// Of a sequence, which exists only while a model is imported: its tensors.
    std::shared_ptr<const Values> sequence = nullptr;

    bool operator==(const Binding&) const = default;
  };
  using Bindings = std::vector<Binding>;
  using Attributes = std::map<std::string, pb::AttributeProto>;

  /// The names one list of nodes sees.
  struct Scope {
    const Scope* outer = nullptr;                ///< whose names are visible too: of subgraphs only
    const Scope* caller = nullptr;               ///< for the depth and the recursion check
    const pb::FunctionProto* function = nullptr; ///< the body of which this is
    const Opsets* opsets = nullptr;
    const Attributes* attributes = nullptr; ///< what a function's attributes are
    std::string prefix;                     ///< of names and origins; empty in the main graph
    int depth = 0;
    std::unordered_map<std::string, Binding> names;
    std::unordered_map<std::string, std::string> wishes; ///< names in the graph for results
    std::unordered_set<std::string> read;                ///< by a node, or as an output
    const NodeOrder* order = nullptr;

    const Binding* find(const std::string& name) const;
  };

  void importInitializers(pb::GraphProto& proto, Scope& scope);
  void importInputs(const pb::GraphProto& proto, Scope& scope);
  void importInput(const pb::ValueInfoProto& info, Scope& scope);
  void importOutputs(const pb::GraphProto& proto, const Scope& scope);
  void readValueInfos(const pb::GraphProto& proto);
  void reserveNames(const pb::GraphProto& proto);

  void importNodes(NodeList& nodes, Scope& scope);
  void importNode(pb::NodeProto& proto, int index, Scope& scope);
  Result<> resolveAttributes(pb::NodeProto& proto, const Scope& scope);
  /// The node's operands, or nothing when one has failed; a name nobody defines is an error.
  Result<std::optional<Values>> operandsOf(const pb::NodeProto& proto, const Scope& scope);
  Result<Values> importOperator(pb::NodeProto& proto, const std::string& origin, int64_t opset,
                                Values operands, const Scope& scope);
  Result<> inlineFunction(const pb::FunctionProto& proto, const pb::NodeProto& call,
                          const std::string& origin, Scope& scope);
  void bindCalled(const std::string& name, const Binding* inner, Scope& scope);

  // Sequences (Sequences.cpp).
  class SequenceNode;
  /// Whether the node works on sequences or optional values, and so was imported.
  Result<bool> importSequenceNode(pb::NodeProto& proto, const std::string& origin, Scope& scope);
  Result<> importSequenceMap(pb::NodeProto& proto, const std::string& origin, Scope& scope);

  // Subgraphs (ControlFlow.cpp).
  /// The node with its attributes that are values.
  static pb::NodeProto withoutSubgraphs(const pb::NodeProto& node);
  static Result<pb::GraphProto*> subgraphOf(pb::NodeProto& node, std::string_view attribute);
  Node makeNode(const pb::NodeProto& proto, const std::string& origin, int64_t opset);
  /// What the node's inputs stand for, or nothing when one has failed.
  Result<std::optional<Bindings>> bindingsOf(const pb::NodeProto& proto, const Scope& scope);
  Result<> checkDepth(const Scope& scope) const;
  Result<> countInlined(int64_t bytes);
  Scope scopeWithin(Scope& outer, const std::string& prefix) const;
  /// The outputs of a subgraph whose inputs are `inputs`.
  Bindings importBody(pb::GraphProto& graph, const Bindings& inputs, Scope& scope);
  Result<Bindings> importBranch(pb::NodeProto& node, std::string_view which,
                                const std::string& origin, bool isOnly, Scope& scope);
  Result<> importIf(pb::NodeProto& node, const std::string& origin, Scope& scope);
  Result<Binding> selected(Value* condition, const Binding& yes, const Binding& no,
                           const std::string& name, const std::string& origin);
  Result<Value*> stackedRows(Node& node, const Values& rows, int64_t axis,
                             const pb::ValueInfoProto& declared);
  Result<> importLoop(pb::NodeProto& proto, const std::string& origin, Scope& scope);
  struct ScanAttributes;
  /// The states behind a scan of `sources`, and its rows; nothing when an iteration has failed.
  Result<std::optional<Bindings>> scanned(Node& node, const pb::GraphProto& body, Bindings states,
                                          const Values& sources, const ScanAttributes& a,
                                          Scope& frame);
  Result<> importFlexAttention(pb::NodeProto& proto, const std::string& origin, Scope& scope);
  /// What the subgraph makes of x, or x itself if there is none; null when it has failed.
  Result<Value*> modified(pb::NodeProto& proto, std::string_view attribute, Value* x,
                          const std::string& origin, Scope& scope);
  Result<> importScan(pb::NodeProto& proto, const std::string& origin, Scope& scope);

  int64_t opsetOf(const pb::NodeProto& proto, const Scope& scope) const;
  std::string freshName(std::string stem) const;
  std::string nameFor(const std::string& name, const Scope& scope) const;
  void failResults(const pb::NodeProto& proto, Scope& scope);
  bool overLimits() const { return overLimits_; }

  ImportedModel& model_;
  Graph& graph_;
  const ImportOptions& options_;
  const Functions& functions_;
  ExternalData& external_;
  DimBindings dims_;
  Problems problems_;
  reference::KnownValues knownValues_;
  std::map<std::string, Tensor> decidingValues_;
  ConstantLookup known_;
  std::function<std::string(std::string)> freshName_;
  std::unordered_map<std::string, DeclaredType> valueInfos_;
  std::unordered_map<std::string, Tensor> initializers_;
  std::unordered_set<std::string> reserved_; ///< names of the main graph, which inventions avoid
  int64_t nchwcBlock_ = 0;
  int64_t numNodes_ = 0;
  int64_t inlinedBytes_ = 0;
  bool overLimits_ = false;
};

} // namespace enfold::onnx
