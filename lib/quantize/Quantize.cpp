// The search for the best network of codes.
#include "quantize/Quantize.h"

#include "quantize/BiasCorrection.h"
#include "quantize/Equalization.h"
#include "quantize/Prepare.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace enfold::quantize {
namespace {

/// All that decides a quantized network.
struct Candidate {
  const Graph* graph = nullptr; ///< of floats
  Statistics* statistics = nullptr;
  PlanOptions planOptions;
  Method method = Method::MinMax;
  Biases biases;
};

class Quantizer {
public:
  Quantizer(const Samples& samples, const Options& options)
      : samples_(samples), options_(options) {}

  Result<Quantized> run(const Graph& model);

private:
  /// The network, its plan and its scales.
  struct Network {
    QuantizedGraph graph;
    Plan plan;
    std::vector<GroupScale> scales;
  };

  Result<> checkExcluded(const Graph& model);
  Result<> checkLayers(const Plan& plan) const;
  Result<Statistics> statisticsOf(const Graph& graph, const Plan& plan, Detail detail,
                                  std::vector<std::string> more);
  Result<Network> networkOf(const Candidate& candidate);
  /// Makes the candidate the best if its outputs have less noise.
  Result<bool> consider(const Candidate& candidate, std::string_view what);
  std::vector<Method> methods() const;
  Result<> chooseMethod(const Candidate& start);
  Result<> tryEqualization();
  Result<> tryBiasCorrection();
  Result<> keepLayersInFloat();
  Result<Evaluation> evaluateLayers(const Candidate& candidate, const Plan& plan);
  Result<Quantized> finish();

  const Samples& samples_;
  const Options& options_;
  std::unique_ptr<Graph> plain_, equalized_;
  Statistics plainStatistics_, equalizedStatistics_;
  std::optional<Evaluator> outputs_; ///< compares outputs alone
  Candidate best_;
  double leastLoss_ = INFINITY;
  size_t equalizedPairs_ = 0;
};

Result<> Quantizer::checkExcluded(const Graph& model) {
  for (const std::string& name : options_.excluded) {
    const bool known = model.find(name) || std::ranges::any_of(model.ops(), [&](const auto& op) {
                         return std::ranges::find(op->origins(), name) != op->origins().end();
                       });
    if (!known)
      return failure(ErrorCode::UnknownName,
                     fmt::format("the model has no node '{}' to exclude", name));
    best_.planOptions.inFloat.emplace(name, "excluded");
  }
  return {};
}

Result<> Quantizer::checkLayers(const Plan& plan) const {
  if (plan.numQuantized() > 0) return {};
  if (plan.layers.empty())
    return unsupported("the model has no layers whose weights could be quantized");
  std::vector<Diag> diags;
  for (const Layer& layer : plan.layers)
    diags.push_back({"is not quantized: " + layer.floatBecause, layer.op->describe()});
  return std::unexpected(Error(ErrorKind::Unsupported, std::move(diags)));
}

Result<Statistics> Quantizer::statisticsOf(const Graph& graph, const Plan& plan, Detail detail,
                                           std::vector<std::string> more) {
  std::set<std::string> names(more.begin(), more.end());
  for (const std::string& name : sourcesOf(plan)) names.insert(name);
  return calibrate(graph, {names.begin(), names.end()}, detail, samples_, options_.run);
}

Result<Quantizer::Network> Quantizer::networkOf(const Candidate& candidate) {
  Plan plan = planOf(*candidate.graph, candidate.planOptions);
  std::vector<std::string> missing;
  for (std::string& name : sourcesOf(plan))
    if (!candidate.statistics->contains(name)) missing.push_back(std::move(name));
  if (!missing.empty()) {
    ENFOLD_TRY(Statistics found,
               calibrate(*candidate.graph, missing, Detail::Histograms, samples_, options_.run));
    candidate.statistics->merge(found);
  }
  ENFOLD_TRY(std::vector<GroupScale> scales,
             groupScales(plan, *candidate.statistics, candidate.method, options_.percent));
  QuantizedGraph graph =
      insertQuantization(*candidate.graph, plan, scales, options_.weights, candidate.biases);
  return Network{std::move(graph), std::move(plan), std::move(scales)};
}

Result<bool> Quantizer::consider(const Candidate& candidate, std::string_view what) {
  ENFOLD_TRY(const Network network, networkOf(candidate));
  ENFOLD_TRY(const Evaluation evaluation, outputs_->evaluate(network.graph, what));
  const double loss = evaluation.loss();
  if (!(loss < leastLoss_)) return false;
  leastLoss_ = loss;
  best_ = candidate;
  return true;
}

std::vector<Method> Quantizer::methods() const {
  if (options_.method) return {*options_.method};
  return {Method::MinMax, Method::Percentile, Method::LeastError};
}

Result<> Quantizer::chooseMethod(const Candidate& start) {
  for (const Method method : methods()) {
    Candidate candidate = start;
    candidate.method = method;
    ENFOLD_RETURN_IF_ERROR(consider(candidate, fmt::format("trying {}", name(method))));
  }
  return {};
}

Result<> Quantizer::tryEqualization() {
  equalized_ = plain_->clone();
  const size_t pairs = equalize(*equalized_, plainStatistics_);
  if (pairs == 0) return {};
  const Plan plan = planOf(*equalized_, best_.planOptions);
  ENFOLD_TRY(equalizedStatistics_, statisticsOf(*equalized_, plan, Detail::Histograms, {}));
  Candidate candidate = best_;
  candidate.graph = equalized_.get();
  candidate.statistics = &equalizedStatistics_;
  ENFOLD_RETURN_IF_ERROR(chooseMethod(candidate));
  if (best_.graph == equalized_.get()) equalizedPairs_ = pairs;
  return {};
}

Result<> Quantizer::tryBiasCorrection() {
  ENFOLD_TRY(const Network network, networkOf(best_));
  Candidate candidate = best_;
  ENFOLD_TRY(candidate.biases, correctedBiases(*best_.graph, network.plan, network.scales,
                                               options_.weights, samples_, options_.run));
  ENFOLD_RETURN_IF_ERROR(consider(candidate, "trying corrected biases"));
  return {};
}

Result<Evaluation> Quantizer::evaluateLayers(const Candidate& candidate, const Plan& plan) {
  std::vector<std::string> names;
  for (const Layer& layer : plan.layers) names.push_back(layer.output->name());
  ENFOLD_TRY(Evaluator evaluator,
             Evaluator::create(*candidate.graph, names, samples_, options_.labels, options_.run));
  ENFOLD_TRY(const Network network, networkOf(candidate));
  return evaluator.evaluate(network.graph, "measuring layers");
}

/// Each layer of little signal is tried in floats. The one that helps the outputs most comes first,
/// then the next, as long as their own signal is still too little.
Result<> Quantizer::keepLayersInFloat() {
  const auto isPoor = [&](const Evaluation& evaluation, const Plan& plan, size_t layer) {
    return plan.layers[layer].isQuantized() &&
           evaluation.tensors[layer].decibels() < *options_.leastSignal;
  };
  const auto inFloat = [&](const Layer& layer, double decibels) {
    Candidate candidate = best_;
    candidate.planOptions.inFloat[layer.op->result()->name()] =
        fmt::format("its signal to noise is {:.1f} dB, and floats help the outputs", decibels);
    return candidate;
  };
  Plan plan = planOf(*best_.graph, best_.planOptions);
  ENFOLD_TRY(Evaluation evaluation, evaluateLayers(best_, plan));
  std::vector<std::pair<double, size_t>> order;
  for (size_t i = 0; i < plan.layers.size(); ++i) {
    if (!isPoor(evaluation, plan, i)) continue;
    ENFOLD_TRY(const Network network, networkOf(inFloat(plan.layers[i], 0)));
    ENFOLD_TRY(const Evaluation outputs,
               outputs_->evaluate(network.graph,
                                  fmt::format("trying {} in floats", nameOf(*plan.layers[i].op))));
    order.emplace_back(outputs.loss(), i);
  }
  std::ranges::sort(order);
  for (const auto& [loss, i] : order) {
    if (!isPoor(evaluation, plan, i) || plan.numQuantized() == 1) continue;
    const Candidate candidate = inFloat(plan.layers[i], evaluation.tensors[i].decibels());
    ENFOLD_TRY(const bool better, consider(candidate, "keeping layers in floats"));
    if (!better) continue;
    plan = planOf(*best_.graph, best_.planOptions);
    ENFOLD_TRY(evaluation, evaluateLayers(best_, plan));
  }
  return {};
}

Result<Quantized> Quantizer::finish() {
  ENFOLD_TRY(Network network, networkOf(best_));
  ENFOLD_TRY(const Evaluation evaluation, evaluateLayers(best_, network.plan));
  Report report{.samples = samples_.count,
                .method = best_.method,
                .equalizedPairs = equalizedPairs_,
                .correctedLayers = best_.biases.size(),
                .before = evaluation.before,
                .after = evaluation.after};
  for (size_t i = 0; i < network.plan.layers.size(); ++i) {
    const Layer& layer = network.plan.layers[i];
    const auto group = network.plan.groupOf.find(layer.output);
    std::optional<GroupScale> output;
    if (group != network.plan.groupOf.end()) output = network.scales[group->second];
    report.layers.push_back({nameOf(*layer.op), info(layer.op->kind()).name, output,
                             evaluation.tensors[i], layer.floatBecause});
  }
  for (size_t i = 0; i < evaluation.outputs.size(); ++i)
    report.outputs.push_back({best_.graph->outputNames()[i], evaluation.outputs[i]});
  for (size_t i = 0; i < network.plan.groups.size(); ++i)
    if (network.scales[i].range.isZero())
      for (const Value* member : network.plan.groups[i].members)
        report.deadTensors.push_back(member->name());
  return Quantized{std::move(network.graph.graph), std::move(report)};
}

Result<Quantized> Quantizer::run(const Graph& model) {
  if (samples_.count == 0) return usageError("there are no samples to calibrate with");
  ENFOLD_TRY(plain_, prepared(model, options_.run.compile));
  ENFOLD_RETURN_IF_ERROR(checkExcluded(*plain_));
  best_.planOptions.quantizeOutputs = options_.quantizeOutputs;
  const Plan plan = planOf(*plain_, best_.planOptions);
  ENFOLD_RETURN_IF_ERROR(checkLayers(plan));
  if (!options_.labels.empty() &&
      (model.outputs().empty() || model.outputs()[0]->type().rank() != 2))
    return usageError("labels need scores of rank 2 as the first output");
  std::vector<std::string> between;
  if (options_.equalize)
    for (const EqualizablePair& pair : equalizablePairs(*plain_))
      between.push_back(pair.between->name());
  ENFOLD_TRY(plainStatistics_, statisticsOf(*plain_, plan, Detail::Histograms, between));
  ENFOLD_TRY(Evaluator outputs, Evaluator::create(*plain_, {}, samples_, {}, options_.run));
  outputs_.emplace(std::move(outputs));
  best_.graph = plain_.get();
  best_.statistics = &plainStatistics_;
  ENFOLD_RETURN_IF_ERROR(chooseMethod(best_));
  if (!best_.graph || leastLoss_ == INFINITY)
    return unsupported("the outputs of the quantized network are not finite");
  if (options_.equalize) ENFOLD_RETURN_IF_ERROR(tryEqualization());
  if (options_.correctBiases) ENFOLD_RETURN_IF_ERROR(tryBiasCorrection());
  if (options_.leastSignal) ENFOLD_RETURN_IF_ERROR(keepLayersInFloat());
  return finish();
}

} // namespace

size_t Report::numQuantized() const {
  return static_cast<size_t>(std::ranges::count_if(
      layers, [](const LayerReport& layer) { return layer.floatBecause.empty(); }));
}

Result<Quantized> quantize(const Graph& model, const Samples& samples, const Options& options) {
  return Quantizer(samples, options).run(model);
}

} // namespace enfold::quantize
