// Programs that store what others compute on the way.
#include "diagnose/Tap.h"

#include "ir/Extract.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace enfold::diagnose {
namespace {

using Values = std::unordered_set<const Value*>;

/// The value of the optimized graph that is the model's tensor; null when it was fused away.
const Value* survivor(const Graph& optimized, const Value* value) {
  const Value* found = optimized.find(value->name());
  return found && found->elem() == value->elem() && found->shape() == value->shape() ? found
                                                                                     : nullptr;
}

/// The nearest tensors above `value` that the optimized graph still has.
void collectSources(const Graph& optimized, const Value* value, Values& sources, Values& seen) {
  if (!seen.insert(value).second) return;
  for (const Value* operand : value->producer()->operands()) {
    if (!operand || operand->constant()) continue;
    if (survivor(optimized, operand) || !operand->producer())
      sources.insert(operand);
    else
      collectSources(optimized, operand, sources, seen);
  }
}

/// Makes a value an output of the graph, in plain layout.
Result<> addPlainOutput(Graph& graph, Value* value) {
  Value* plain = value;
  if (!value->type().layout.isPlain()) {
    ENFOLD_TRY(Op * reorder, graph.create({.kind = OpKind::Reorder,
                                           .operands = {value},
                                           .attrs = {{"block", int64_t{0}}}}));
    plain = reorder->result();
  }
  graph.addOutput(plain, value->name());
  return {};
}

Result<std::unique_ptr<Session>> sessionOf(std::unique_ptr<Graph> graph,
                                           const codegen::Target& target,
                                           const Session::Options& options,
                                           const std::optional<MemoryLimit>& memory) {
  ENFOLD_TRY(auto executable, Executable::build(std::move(graph), target, {.memory = memory}));
  return Session::create(std::move(executable), options);
}

} // namespace

const Value* findTensor(const Graph& model, const std::string& name) {
  if (const Value* value = model.find(name)) return value;
  for (size_t i = 0; i < model.outputs().size(); ++i)
    if (model.outputNames()[i] == name) return model.outputs()[i];
  for (const auto& op : model.ops())
    if (op->numResults() && std::ranges::find(op->origins(), name) != op->origins().end())
      return op->result();
  return nullptr;
}

Result<std::unique_ptr<TappedNetwork>>
TappedNetwork::create(std::unique_ptr<const Graph> model, const CompileOptions& options,
                      const Session::Options& session, const std::vector<std::string>& names) {
  std::unique_ptr<TappedNetwork> network(new TappedNetwork);
  network->model_ = std::move(model);
  for (const std::string& name : names) {
    const Value* value = findTensor(*network->model_, name);
    if (!value)
      return failure(ErrorCode::UnknownName,
                     fmt::format("the model has no tensor or node '{}'", name));
    network->wanted_[name] = value;
  }
  ENFOLD_TRY(const codegen::Target target, targetOf(options));
  std::unique_ptr<Graph> optimized = network->model_->clone();
  ENFOLD_TRY(network->report_, optimize(*optimized, options, target));

  std::vector<const Value*> fused;
  Values sources, seen;
  for (const auto& [name, value] : network->wanted_) {
    if (survivor(*optimized, value)) {
      sources.insert(value);
    } else if (value->producer() && !value->constant()) {
      if (std::ranges::find(fused, value) == fused.end()) fused.push_back(value);
      collectSources(*optimized, value, sources, seen);
    }
  }
  auto tapped = optimized->clone();
  for (const Value* source : sources) {
    Value* value = tapped->find(source->name());
    if (value && value->constant()) network->folded_[source->name()] = *value->constant();
    if (!value || !value->producer() || value->constant()) continue;
    network->computed_[source->name()] = tapped->outputs().size();
    ENFOLD_RETURN_IF_ERROR(addPlainOutput(*tapped, value));
  }
  ENFOLD_TRY(network->main_, sessionOf(std::move(optimized), target, session, options.memory));
  network->optimized_ = network->main_->executable().graph();
  ENFOLD_TRY(network->second_, sessionOf(std::move(tapped), target, session, options.memory));
  ENFOLD_RETURN_IF_ERROR(network->buildReplay(fused, options, session));
  return network;
}

Result<> TappedNetwork::buildReplay(const std::vector<const Value*>& fused,
                                    const CompileOptions& options,
                                    const Session::Options& session) {
  if (fused.empty()) return {};
  Values sources;
  for (const auto& [name, index] : computed_) sources.insert(model_->find(name));
  CompileOptions unfused = options;
  unfused.fuse = false;
  unfused.pipeline.clear();
  unfused.tolerance.reset();
  unfused.passes.maxRewrites = PipelineOptions{}.maxRewrites;
  ENFOLD_TRY(Compilation compiled, compile(extract(*model_, fused, sources), unfused));
  ENFOLD_TRY(replay_, Session::create(compiled.executable, session));
  return {};
}

Result<TappedRun> TappedNetwork::run(std::span<const Tensor> inputs) {
  TappedRun run;
  ENFOLD_TRY(run.outputs, main_->run(inputs));
  ENFOLD_TRY(const std::vector<Tensor> all, second_->run(inputs));
  run.sameProgram = std::equal(run.outputs.begin(), run.outputs.end(), all.begin());

  std::map<std::string, Tensor> known = folded_;
  for (size_t i = 0; i < inputs.size(); ++i) known[graph().inputs()[i]->name()] = inputs[i];
  for (const auto& [name, index] : computed_) known[name] = all[index];
  if (replay_) {
    std::vector<Tensor> sources;
    const Executable& replay = replay_->executable();
    for (const TensorSpec& input : replay.inputs()) sources.push_back(known.at(input.name));
    ENFOLD_TRY(std::vector<Tensor> results, replay_->run(sources));
    for (size_t i = 0; i < results.size(); ++i)
      known[replay.outputs()[i].name] = std::move(results[i]);
  }
  for (const auto& [name, value] : wanted_)
    run.taps[name] = value->constant() ? *value->constant() : known.at(value->name());
  return run;
}

} // namespace enfold::diagnose
