// Programs whose outputs are the tensors to be read.
#include "quantize/Runs.h"

#include <fmt/format.h>

#include <algorithm>

namespace enfold::quantize {

Result<ObservedNetwork> ObservedNetwork::create(const Graph& graph,
                                                std::span<const std::string> names,
                                                const RunOptions& options) {
  ObservedNetwork network;
  network.numOutputs_ = graph.outputs().size();
  auto observed = graph.clone();
  std::vector<std::pair<size_t, size_t>> inputs; // tensor, input
  for (const std::string& name : names) {
    Value* value = observed->find(name);
    ENFOLD_CHECK(value != nullptr, "no value is named " + name);
    if (!value->producer()) {
      const auto isIt = [&](const auto& input) { return input.get() == value; };
      const auto it = std::ranges::find_if(observed->inputs(), isIt);
      inputs.emplace_back(network.source_.size(),
                          static_cast<size_t>(it - observed->inputs().begin()));
      network.source_.push_back(0);
      continue;
    }
    network.source_.push_back(observed->outputs().size());
    observed->addOutput(value, name);
  }
  for (const auto& [tensor, input] : inputs)
    network.source_[tensor] = observed->outputs().size() + input;
  ENFOLD_TRY(const Compilation compiled, compile(std::move(observed), options.compile));
  ENFOLD_TRY(network.session_, Session::create(compiled.executable, options.session));
  return network;
}

Result<ObservedNetwork::Run> ObservedNetwork::run(std::span<const Tensor> inputs) {
  ENFOLD_TRY(std::vector<Tensor> all, session_->run(inputs));
  all.insert(all.end(), inputs.begin(), inputs.end());
  Run run;
  run.outputs.assign(all.begin(), all.begin() + static_cast<ptrdiff_t>(numOutputs_));
  for (const size_t source : source_) run.tensors.push_back(all[source]);
  return run;
}

Result<> forEachSample(const Samples& samples, const RunOptions& options, std::string_view what,
                       const std::function<Result<>(size_t, std::span<const Tensor>)>& see) {
  for (size_t i = 0; i < samples.count; ++i) {
    if (options.progress) options.progress(what, i, samples.count);
    ENFOLD_TRY(const std::vector<Tensor> inputs, samples.at(i));
    ENFOLD_RETURN_IF_ERROR(see(i, inputs));
  }
  return {};
}

} // namespace enfold::quantize
