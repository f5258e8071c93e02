// A model that is run on inputs of changing shapes: compiled for each combination of shapes it
// meets, the latest of which are kept. They share their constants.
#pragma once

#include "driver/Compiler.h"
#include "driver/Model.h"

#include <list>

namespace enfold {

class Specializations {
public:
  struct Options {
    LoadOptions load; ///< `samples` is filled in
    CompileOptions compile;
    Session::Options session;
    size_t capacity = 8; ///< how many are kept, at least one
  };

  /// The model is read when it is first run.
  static Result<std::unique_ptr<Specializations>> open(std::string model, Options options);

  /// A run's outputs, and the network that gave them, which lives until the next run.
  struct Run {
    std::vector<Tensor> outputs;
    const Executable* executable;
  };

  /// Compiles for inputs like these unless that is among the latest, and runs. Inputs are named, or
  /// all nameless and in the order of the model. One call at a time.
  Result<Run> run(std::span<const NamedTensor> inputs);

  size_t size() const { return kept_.size(); }
  int64_t compilations() const { return compilations_; }
  /// Bytes of constants of all kept, equal ones counted once.
  int64_t constantBytes() const { return options_.compile.constants->bytesInUse(); }

private:
  /// What decides a specialization: the types of all inputs, the contents of some.
  struct Key {
    std::vector<Type> types;
    std::vector<Tensor> contents;
    bool operator==(const Key&) const = default;
  };
  struct Kept {
    Key key;
    std::unique_ptr<Session> session;
  };

  Specializations(std::string model, Options options)
      : model_(std::move(model)), options_(std::move(options)) {}

  Key keyOf(std::span<const NamedTensor> inputs) const;
  Result<> specialize(std::span<const NamedTensor> inputs);
  Result<std::vector<Tensor>> arrange(std::span<const NamedTensor> inputs) const;

  std::string model_;
  Options options_;
  std::list<Kept> kept_;                   ///< latest first
  std::map<std::string, Tensor> bound_;    ///< inputs whose contents decide shapes: by name
  std::map<std::string, Tensor> defaults_; ///< of inputs that may be left out
  int64_t compilations_ = 0;
};

} // namespace enfold
