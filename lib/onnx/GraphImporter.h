// Walks the nodes of a model and builds the graph: scopes of names, functions and constant branches
// inlined, every problem collected so that all can be reported at once.
#pragma once

#include "onnx/ExternalData.h"
#include "onnx/Functions.h"
#include "onnx/Inputs.h"
#include "onnx/Node.h"
#include "onnx/NodeOrder.h"
#include "onnx/OperatorTable.h"
#include "onnx/Procedure.h"
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
  ErrorKind kind() const { return kind_; }
  /// One error of all of them. Its kind is the gravest.
  Error take() &&;

private:
  ErrorKind kind_ = ErrorKind::DataDependent;
  std::vector<Diag> diags_;
};

class NodeProcedure;
struct ModelContext;
struct ScanAttributes;

class GraphImporter {
public:
  using Opsets = std::map<std::string, int64_t>;
  using Attributes = std::map<std::string, pb::AttributeProto>;
  enum class Mode {
    Whole,    ///< nodes that data decide are problems
    Cut,      ///< they, and those behind them, are left
    Evaluate, ///< everything is computed at once; what is much work, and what is behind it, is left
  };

  /// `context` is that of a model that may be cut.
  GraphImporter(ImportedModel& model, const ImportOptions& options, const Functions& functions,
                ExternalData& external, Mode mode = Mode::Whole,
                std::shared_ptr<const ModelContext> context = {});

  /// Tensors of initializers and constant nodes that were decoded before, by their names.
  void useTensors(const std::unordered_map<std::string, Tensor>& tensors) { decoded_ = &tensors; }
  /// Fills the model's graph. Problems are collected, not returned.
  void import(pb::GraphProto& proto);
  /// The same of a procedure whose inputs are `data`: those in `bound` are constants, and with
  /// `mayBind`, the contents of small ones may decide types.
  void importProcedure(const NodeProcedure& procedure, const Data& data,
                       const std::set<std::string>& bound, bool mayBind);
  /// What an input of the graph of a procedure stands for.
  const Part::Input& partInput(const std::string& name) const { return partInputs_.at(name); }
  /// Computes the procedure's nodes, for `caller`, and adds what they give to `data`. The places of
  /// those that are left.
  std::vector<int> evaluateProcedure(const NodeProcedure& procedure, Data& data,
                                     Procedure::Caller& caller);

  Problems& problems() { return problems_; }
  /// Inputs with a default or a sample on which some shape depends, with that value.
  const std::map<std::string, Tensor>& decidingValues() const { return decidingValues_; }

private:
  const Tensor* decidingValue(const Value* input);
  /// What a name stands for.
  struct Binding {
    enum class State {
      Known,
      Absent,   ///< an optional input of a function that the call leaves out, or an unread constant
      Failed,   ///< computed by a node that could not be imported
      Deferred, ///< computed by a node that is left, or an input that is no tensor
    };
    State state = State::Failed;
    Value* value = nullptr;
    /// Of a sequence, which exists only while a model is imported: its tensors.
    std::shared_ptr<const Values> sequence = nullptr;

    bool operator==(const Binding&) const = default;
  };
  using Bindings = std::vector<Binding>;

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

  const Tensor* decodedBefore(const pb::NodeProto& proto, const Scope& scope) const;
  Result<Tensor> tensorOf(pb::TensorProto& proto, bool isInSubgraph);
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
                                Adapter adapter, Values operands, const Scope& scope);
  Result<> inlineFunction(const pb::FunctionProto& proto, const pb::NodeProto& call,
                          const std::string& origin, Scope& scope);
  void bindCalled(const std::string& name, const Binding* inner, Scope& scope);

  // Models in parts (Staging.cpp).
  bool readsDeferred(const pb::NodeProto& proto, const Scope& scope) const;
  /// Imports the node at `place` of the outermost scope, or leaves it.
  void importOrDefer(const pb::NodeProto& proto, int place, int number, Scope& scope);
  /// Whether the node at hand, which made the ops behind the first `numOps`, is better compiled.
  bool isMuchWork(size_t numOps) const;
  /// Computes the results of a node.
  Result<> compute(const pb::NodeProto& proto, const Scope& scope);
  Binding bindingOf(const std::string& name, const Datum& datum);
  Result<Datum> datumOf(const Binding& binding);
  /// What is needed of the part imported, whose outputs become those of the graph.
  Remainder remainderOf(const NodeList& nodes, std::span<const std::string> outputs,
                        const Scope& scope);
  /// Makes the nodes that are left the model's remainder.
  void leave(const pb::GraphProto& proto, const Scope& scope);
  Scope enter(const NodeProcedure& procedure);
  void importNodesOf(const NodeProcedure& procedure, Scope& scope);

  // Branches, loops and functions on data at hand (EvaluateControl.cpp).
  class Evaluation;
  bool isControl(const pb::NodeProto& proto) const;
  Result<> evaluateControl(const pb::NodeProto& proto, const std::string& origin, Scope& scope);

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
  static std::string originOf(const pb::NodeProto& proto, int index, const Scope& scope);
  /// "Conv '/conv1/Conv' (opset 13)"
  std::string describe(const pb::NodeProto& proto, const std::string& origin,
                       const Scope& scope) const;
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
  const std::unordered_map<std::string, Tensor>* decoded_ = nullptr;
  std::unordered_set<std::string> reserved_; ///< names of the main graph, which inventions avoid
  int64_t nchwcBlock_ = 0;
  int64_t numNodes_ = 0;
  int64_t inlinedBytes_ = 0;
  bool overLimits_ = false;

  const Mode mode_;
  std::vector<int> deferred_; ///< places of nodes that are left, in their order
  bool mustLeave_ = false;    ///< some name is deferred, or an output is no tensor
  std::set<int> decided_;     ///< those among them that data decide
  std::vector<Remainder::Decided> decisions_;
  const NodeProcedure* procedure_ = nullptr;
  Procedure::Caller* caller_ = nullptr;
  std::shared_ptr<const ModelContext> context_;
  bool decides_ = true; ///< whether contents may still decide types
  std::map<std::string, Part::Input> partInputs_;
  std::set<std::string> partInputNames_;
  std::map<std::string, const Tensor*> contents_; ///< inputs that may be bound
  std::unordered_set<const Value*> procedureConstants_;
};

} // namespace enfold::onnx
