// Both networks run on the same samples, and their tensors are compared as they come.
#include "quantize/Evaluation.h"

#include <cmath>

namespace enfold::quantize {
namespace {

/// Counts the rows of scores whose greatest is that of the label. `first` is the first row's
/// number.
void count(Accuracy& accuracy, const Tensor& scores, std::span<const int64_t> labels,
           int64_t first) {
  const int64_t rows = scores.shape()[0], classes = scores.shape()[1];
  for (int64_t row = 0; row < rows && first + row < std::ssize(labels); ++row) {
    int64_t best = 0;
    for (int64_t c = 1; c < classes; ++c)
      if (scores.asDouble(row * classes + c) > scores.asDouble(row * classes + best)) best = c;
    accuracy.right += best == labels[static_cast<size_t>(first + row)];
    ++accuracy.count;
  }
}

} // namespace

double decibels(double signal, double noise) {
  if (noise == 0) return INFINITY;
  return signal == 0 ? -INFINITY : 10 * std::log10(signal / noise);
}

void Noise::add(const Tensor& expected, const Tensor& actual) {
  if (expected.elem() != ElemType::F32) return;
  const std::span<const float> x = expected.values<float>(), y = actual.values<float>();
  for (size_t i = 0; i < x.size(); ++i) {
    if (!std::isfinite(x[i])) continue;
    const double error = static_cast<double>(y[i]) - x[i];
    signal += static_cast<double>(x[i]) * x[i];
    noise += error * error;
    largest = std::max(largest, std::fabs(error));
  }
}

double Noise::decibels() const { return quantize::decibels(signal, noise); }

double Evaluation::loss() const {
  double sum = 0;
  int64_t count = 0;
  for (const Noise& output : outputs)
    if (output.signal > 0) {
      sum += output.noise / output.signal;
      ++count;
    }
  return count == 0 ? 0 : sum / static_cast<double>(count);
}

Result<Evaluator> Evaluator::create(const Graph& graph, std::vector<std::string> names,
                                    const Samples& samples, std::span<const int64_t> labels,
                                    const RunOptions& options) {
  ENFOLD_TRY(ObservedNetwork network, ObservedNetwork::create(graph, names, options));
  return Evaluator(std::move(network), std::move(names), samples, labels, options);
}

Result<Evaluation> Evaluator::evaluate(const QuantizedGraph& quantized, std::string_view what) {
  std::vector<std::string> counterparts;
  for (const std::string& name : names_) counterparts.push_back(quantized.counterpart(name));
  ENFOLD_TRY(ObservedNetwork network,
             ObservedNetwork::create(*quantized.graph, counterparts, options_));
  Evaluation evaluation;
  evaluation.outputs.resize(quantized.graph->outputs().size());
  evaluation.tensors.resize(names_.size());
  ENFOLD_RETURN_IF_ERROR(
      forEachSample(samples_, options_, what, [&](size_t i, auto inputs) -> Result<> {
        ENFOLD_TRY(const ObservedNetwork::Run expected, network_.run(inputs));
        ENFOLD_TRY(const ObservedNetwork::Run actual, network.run(inputs));
        for (size_t k = 0; k < evaluation.outputs.size(); ++k)
          evaluation.outputs[k].add(expected.outputs[k], actual.outputs[k]);
        for (size_t k = 0; k < names_.size(); ++k)
          evaluation.tensors[k].add(expected.tensors[k], actual.tensors[k]);
        if (labels_.empty()) return {};
        const auto first = static_cast<int64_t>(i) * expected.outputs[0].shape()[0];
        count(evaluation.before, expected.outputs[0], labels_, first);
        count(evaluation.after, actual.outputs[0], labels_, first);
        return {};
      }));
  return evaluation;
}

} // namespace enfold::quantize
