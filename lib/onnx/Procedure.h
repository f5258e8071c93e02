// What is left of a model, or of the body of a loop or a branch, where data decide sizes or the way
// on: nodes that turn data into data.
//
// A procedure runs in turns of two kinds. cut() takes the part whose types follow from those of the
// data at hand, as a graph to be compiled or run by the reference functions. evaluate() computes
// what data decide, node by node, up to nodes that are so much work that they had better be cut
// again.
#pragma once

#include "ir/Graph.h"
#include "onnx/Datum.h"
#include "support/Result.h"

#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace enfold::onnx {

class Procedure;
using ProcedurePtr = std::shared_ptr<const Procedure>;

/// What is left behind a graph that is the first part of a model or of a procedure.
struct Remainder {
  /// A name of the model that the graph gives, and the outputs of the graph that it stands for.
  struct Kept {
    std::string name;
    Datum::Kind kind = Datum::Kind::Tensor;
    std::vector<size_t> outputs;
  };
  /// A node that data decide.
  struct Decided {
    std::string node, reason;
    bool operator==(const Decided&) const = default;
  };
  struct Input {
    std::string name;
    Type type;
  };
  std::vector<Input> inputs; ///< of the whole model
  std::vector<Kept> kept;
  Data known;                   ///< names whose values are known without running the graph
  std::vector<Decided> decided; ///< the first nodes that data decide, not those behind them
  ProcedurePtr rest;            ///< null: the graph is all
};

/// The first part of a procedure.
struct Part {
  std::unique_ptr<Graph> graph; ///< its inputs are tensors at hand, in the order of `inputs`
  struct Input {
    std::string name;
    size_t index; ///< in a sequence
  };
  std::vector<Input> inputs;
  std::set<std::string> bound; ///< names whose contents decided types
  Remainder remainder;
};

class Procedure {
public:
  /// Whom an evaluation asks.
  class Caller {
  public:
    virtual ~Caller() = default;
    /// Runs the body of a loop, a branch or a function. `data` has its inputs.
    virtual Result<std::vector<Datum>> call(const ProcedurePtr& body, Data data) = 0;
    /// An error if the run has to end.
    virtual Result<> proceed() = 0;
  };

  /// Names that must be at hand.
  virtual const std::vector<std::string>& inputs() const = 0;
  /// What it computes; some of it may be at hand already.
  virtual const std::vector<std::string>& outputs() const = 0;
  /// Outputs that do not depend on any data.
  virtual const Datum* constant(const std::string& name) const = 0;

  /// The part that follows from the types of the data and, with `mayBind`, from the contents of
  /// small tensors where these decide types.
  virtual Result<Part> cut(const Data& data, bool mayBind) const = 0;

  /// Adds to `data` what can be computed without much work. What is then left of the procedure, or
  /// null; the same object each time that the same nodes are left.
  virtual Result<ProcedurePtr> evaluate(Data& data, Caller& caller) const = 0;

  virtual ~Procedure() = default;
};

} // namespace enfold::onnx
