// Models, bodies of loops and branches whose sizes or way on data decide: stages, each of a graph
// whose types are known and of what data decide behind it.
#pragma once

#include "driver/Segment.h"
#include "onnx/Procedure.h"
#include "onnx/Signature.h"

#include <list>

namespace enfold {

class Routine;

/// A graph for data of certain types, and what is behind it.
class Stage {
public:
  /// `segment` may be null if the remainder needs nothing of the graph.
  Stage(std::unique_ptr<Segment> segment, std::vector<onnx::Part::Input> inputs,
        onnx::Remainder remainder, Segment::Options options)
      : segment_(std::move(segment)), inputs_(std::move(inputs)), remainder_(std::move(remainder)),
        options_(std::move(options)) {}

  /// Adds to `data` all that the model or procedure computes of it.
  Result<> run(onnx::Data& data, const RunLimits& limits);

  const onnx::Remainder& remainder() const { return remainder_; }
  /// Of a model.
  std::vector<TensorSpec> inputs() const;

private:
  class Caller;

  Result<> runSegment(onnx::Data& data, const RunLimits& limits);
  std::shared_ptr<Routine> routineFor(const onnx::ProcedurePtr& procedure, bool mayBind);

  std::unique_ptr<Segment> segment_;
  std::vector<onnx::Part::Input> inputs_;
  const onnx::Remainder remainder_;
  const Segment::Options options_;
  std::mutex mutex_;
  std::map<const onnx::Procedure*, std::shared_ptr<Routine>> routines_; ///< which own their keys
};

/// A procedure with its stages for the types of data that it met last.
class Routine {
public:
  /// `mayBind`: contents of small tensors may decide types.
  Routine(onnx::ProcedurePtr procedure, Segment::Options options, bool mayBind)
      : procedure_(std::move(procedure)), options_(std::move(options)), mayBind_(mayBind) {}

  /// Adds the procedure's outputs to `data`, which has its inputs.
  Result<> run(onnx::Data& data, const RunLimits& limits);

private:
  /// What decides a stage: types, and the contents of what decides types.
  struct Key {
    struct Input {
      onnx::Datum::Kind kind;
      std::vector<Type> types;
      std::vector<Tensor> contents;
      bool operator==(const Input&) const = default;
    };
    std::vector<Input> inputs;
    bool operator==(const Key&) const = default;
  };
  struct Kept {
    Key key;
    std::shared_ptr<Stage> stage;
  };

  Key keyOf(const onnx::Data& data) const;
  Result<std::shared_ptr<Stage>> stageFor(const onnx::Data& data);

  const onnx::ProcedurePtr procedure_;
  const Segment::Options options_;
  const bool mayBind_;
  std::mutex mutex_;
  std::list<Kept> kept_; ///< latest first
  std::set<std::string> bound_;
};

/// The stage of a model: its program, which may be null, and what is behind it.
Result<std::shared_ptr<Stage>> stageOf(const std::shared_ptr<const Executable>& executable,
                                       onnx::Remainder remainder, Segment::Options options);
/// The same of a graph that the reference functions run, as all behind it.
std::shared_ptr<Stage> referenceStage(std::unique_ptr<Graph> graph, onnx::Remainder remainder);

/// Runs a model by its stage, and gives its outputs in their order. Inputs are named; a sequence is
/// given as its tensors, all under its name. Those left out have defaults, are empty sequences, or
/// optional.
Result<std::vector<onnx::Datum>> runStaged(Stage& stage, const onnx::Signature& signature,
                                           std::span<const NamedTensor> inputs,
                                           const std::map<std::string, Tensor>& defaults,
                                           const RunLimits& limits);

} // namespace enfold
