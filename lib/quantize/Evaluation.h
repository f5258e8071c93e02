// What a quantized network loses against the network of floats.
#pragma once

#include "quantize/Insertion.h"

namespace enfold::quantize {

/// Energy of a tensor over the samples, and of its error.
struct Noise {
  double signal = 0, noise = 0;
  double largest = 0; ///< error of an element

  /// Elements that are infinite or NaN in floats do not count.
  void add(const Tensor& expected, const Tensor& actual);
  /// Signal to noise, in decibels; infinite where there is no noise.
  double decibels() const;
};

struct Accuracy {
  int64_t right = 0, count = 0;
};

struct Evaluation {
  std::vector<Noise> outputs; ///< those of integers are empty
  std::vector<Noise> tensors; ///< as asked for
  Accuracy before, after;     ///< of the first output, if there are labels

  /// Noise for signal, averaged over the outputs.
  double loss() const;
};

/// Decibels of a quotient of energies.
double decibels(double signal, double noise);

class Evaluator {
public:
  /// Compares outputs, and tensors of the graph of floats by name. The graph must outlive it.
  static Result<Evaluator> create(const Graph& graph, std::vector<std::string> names,
                                  const Samples& samples, std::span<const int64_t> labels,
                                  const RunOptions& options);

  Result<Evaluation> evaluate(const QuantizedGraph& quantized, std::string_view what);

private:
  Evaluator(ObservedNetwork network, std::vector<std::string> names, const Samples& samples,
            std::span<const int64_t> labels, const RunOptions& options)
      : network_(std::move(network)), names_(std::move(names)), samples_(samples), labels_(labels),
        options_(options) {}

  ObservedNetwork network_;
  std::vector<std::string> names_;
  const Samples& samples_;
  std::span<const int64_t> labels_;
  const RunOptions& options_;
};

} // namespace enfold::quantize
