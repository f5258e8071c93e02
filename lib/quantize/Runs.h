// Running networks over samples, and reading tensors inside them.
#pragma once

#include "driver/Compiler.h"

#include <functional>

namespace enfold::quantize {

/// Inputs to run a network on, made one at a time.
struct Samples {
  size_t count = 0;
  /// The tensors of sample i in the order of the network's inputs, of their types.
  std::function<Result<std::vector<Tensor>>(size_t i)> at;
};

/// How networks are compiled and run meanwhile.
struct RunOptions {
  CompileOptions compile = {};
  Session::Options session = {};
  /// Told what is done, and how far.
  std::function<void(std::string_view what, size_t done, size_t count)> progress = {};
};

/// A network that gives tensors inside it beside its outputs.
class ObservedNetwork {
public:
  /// The names are of values of the graph.
  static Result<ObservedNetwork> create(const Graph& graph, std::span<const std::string> names,
                                        const RunOptions& options);

  struct Run {
    std::vector<Tensor> outputs;
    std::vector<Tensor> tensors; ///< in the order of the names
  };
  Result<Run> run(std::span<const Tensor> inputs);

private:
  std::unique_ptr<Session> session_;
  size_t numOutputs_ = 0;
  std::vector<size_t>
      source_; ///< of each tensor: an output of the program, or behind them an input
};

/// Calls `see` with each sample's number and tensors.
Result<> forEachSample(const Samples& samples, const RunOptions& options, std::string_view what,
                       const std::function<Result<>(size_t, std::span<const Tensor>)>& see);

} // namespace enfold::quantize
