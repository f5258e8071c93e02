// Post-training static quantization: a network of floats and samples of its inputs give a network
// of 8-bit codes, in ONNX's form of quantize_linear and dequantize_linear.
//
// What suits a network is measured: the way to choose ranges, and whether equalization and bias
// correction help, by the noise that its outputs have over the samples.
#pragma once

#include "diagnose/Json.h"
#include "quantize/Evaluation.h"

#include <set>

namespace enfold::quantize {

struct Options {
  std::optional<Method> method = {}; ///< none: whichever measures best
  double percent = 99.99;            ///< of the method Percentile
  bool equalize = true;              ///< if it measures better
  bool correctBiases = true;         ///< if it measures better
  WeightRange weights = WeightRange::Full;
  bool quantizeOutputs = false; ///< see PlanOptions
  std::set<std::string> excluded = {};
  /// Layers of less signal to noise, in decibels, are computed in floats where that helps the
  /// outputs.
  std::optional<double> leastSignal = {};
  std::vector<int64_t> labels = {}; ///< of the samples' rows, one after the other
  RunOptions run = {};
};

struct LayerReport {
  std::string name;
  std::string op;
  std::optional<GroupScale> output; ///< none: its result has no codes
  Noise noise;                      ///< of its result, in the quantized network
  std::string floatBecause;         ///< empty: it is quantized
};

struct OutputReport {
  std::string name;
  Noise noise;
};

struct Report {
  size_t samples = 0;
  Method method = Method::MinMax;
  size_t equalizedPairs = 0;
  size_t correctedLayers = 0;
  std::vector<LayerReport> layers;
  std::vector<OutputReport> outputs;
  std::vector<std::string> deadTensors; ///< that are 0 in all samples
  Accuracy before, after;

  size_t numQuantized() const;
};

struct Quantized {
  std::unique_ptr<Graph> graph;
  Report report;
};

Result<Quantized> quantize(const Graph& model, const Samples& samples, const Options& options);

diagnose::Json toJson(const Report& report);

} // namespace enfold::quantize
