// Making runners, and running them.
#include "tools/Runner.h"

#include "reference/Reference.h"
#include "tools/Deadline.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace enfold::tool {

Result<Runner> Runner::make(const ModelOptions& model, const CacheOptions& cache, Engine engine,
                            std::span<const NamedTensor> inputs) {
  Runner runner;
  if (engine == Engine::Reference) {
    ENFOLD_RETURN_IF_ERROR(runner.interpret(model, inputs));
    return runner;
  }
  ENFOLD_TRY(CompiledModel compiled, compileFor(model, cache, inputs, true));
  runner.optional_ = {std::move(compiled.inputDefaults), std::move(compiled.boundInputs)};
  if (compiled.remainder.rest) {
    runner.signature_ = std::move(compiled.signature);
    ENFOLD_TRY(runner.stage_,
               stageOf(compiled.executable, std::move(compiled.remainder),
                       {.compile = model.compileOptions(), .session = model.sessionOptions()}));
    return runner;
  }
  ENFOLD_TRY(runner.session_, Session::create(compiled.executable, model.sessionOptions()));
  return runner;
}

Result<> Runner::interpret(const ModelOptions& model, std::span<const NamedTensor> inputs) {
  const Deadline deadline(model.limitSeconds);
  ENFOLD_TRY(LoadOptions how, model.loadOptions());
  ENFOLD_TRY(const ModelSource source, model.source());
  ENFOLD_TRY(LoadedModel loaded, loadStaged(source, inputs, std::move(how)));
  for (const std::string& text : loaded.notes) note("note: " + text);
  optional_ = {std::move(loaded.inputDefaults), std::move(loaded.boundInputs)};
  if (loaded.remainder.rest) {
    signature_ = std::move(loaded.signature);
    stage_ = referenceStage(std::move(loaded.graph), std::move(loaded.remainder));
    return {};
  }
  graph_ = std::move(loaded.graph);
  const MemoryNeeds needs = referenceMemoryNeeds(*graph_);
  const auto limit = model.compileOptions().memory;
  ENFOLD_RETURN_IF_ERROR(checkMemory(needs, limit));
  if (limit) note("memory: at most " + needs.str());
  return {};
}

std::vector<TensorSpec> Runner::inputs() const {
  if (stage_) return stage_->inputs();
  return graph_ ? inputsOf(*graph_) : session_->executable().inputs();
}

std::vector<TensorSpec> Runner::outputs() const {
  if (stage_) {
    std::vector<TensorSpec> specs;
    for (const auto& [name, type] : signature_.outputs) specs.push_back({name, {type.elem}});
    return specs;
  }
  return graph_ ? outputsOf(*graph_) : session_->executable().outputs();
}

std::vector<NamedTensor> Runner::keepCollections(std::vector<NamedTensor> given) {
  const auto isOther = [&](const NamedTensor& tensor) {
    const auto declared =
        std::ranges::find(signature_.inputs, tensor.name, &onnx::DeclaredTensor::name);
    return declared == signature_.inputs.end() || declared->type.isTensor();
  };
  const auto kept = std::ranges::stable_partition(given, isOther);
  collections_.assign(kept.begin(), kept.end());
  given.erase(kept.begin(), kept.end());
  return given;
}

Result<std::vector<NamedTensor>> Runner::run(std::span<const Tensor> inputs) {
  std::vector<NamedTensor> outputs;
  if (!stage_) {
    ENFOLD_TRY(std::vector<Tensor> tensors,
               graph_ ? reference::run(*graph_, inputs) : session_->run(inputs));
    const std::vector<TensorSpec> specs = this->outputs();
    for (size_t i = 0; i < tensors.size(); ++i)
      outputs.push_back({specs[i].name, std::move(tensors[i])});
    return outputs;
  }
  std::vector<NamedTensor> named = collections_;
  for (size_t i = 0; i < inputs.size(); ++i) named.push_back({stage_->inputs()[i].name, inputs[i]});
  ENFOLD_TRY(std::vector<onnx::Datum> values,
             runStaged(*stage_, signature_, named, optional_.defaults, RunLimits()));
  for (size_t i = 0; i < values.size(); ++i) {
    const std::string& name = signature_.outputs[i].name;
    const bool isSequence = values[i].kind == onnx::Datum::Kind::Sequence;
    for (size_t k = 0; k < values[i].tensors.size(); ++k)
      outputs.push_back(
          {isSequence ? fmt::format("{}[{}]", name, k) : name, std::move(values[i].tensors[k])});
  }
  return outputs;
}

Result<std::vector<NamedTensor>> runInPieces(Runner& runner, std::vector<Tensor> inputs) {
  const std::vector<TensorSpec> specs = runner.inputs();
  const bool single = specs.size() == 1 && inputs.size() == 1 && !runner.isStaged();
  const Shape& shape = single ? specs[0].type.shape : Shape{};
  if (!single || shape.empty() || inputs[0].shape().size() != shape.size() ||
      inputs[0].shape() == shape || inputs[0].elem() != specs[0].type.elem || shape[0] == 0 ||
      !std::equal(shape.begin() + 1, shape.end(), inputs[0].shape().begin() + 1))
    return runner.run(inputs);
  const int64_t count = inputs[0].shape()[0];
  std::vector<NamedTensor> outputs;
  for (const auto& [name, type] : runner.outputs()) {
    if (type.shape.empty() || type.shape[0] != shape[0])
      return usageError("the outputs do not follow the batch, so it cannot be run in pieces");
    Shape whole = type.shape;
    whole[0] = count;
    outputs.push_back({name, Tensor(type.elem, whole)});
  }
  const auto copyRows = [](const Tensor& from, int64_t at, Tensor& to, int64_t into, int64_t rows) {
    const size_t row = from.numBytes() / static_cast<size_t>(from.shape()[0]);
    std::memcpy(to.mutableBytes() + static_cast<size_t>(into) * row,
                from.bytes() + static_cast<size_t>(at) * row, static_cast<size_t>(rows) * row);
  };
  for (int64_t begin = 0; begin < count; begin += shape[0]) {
    const int64_t rows = std::min(shape[0], count - begin);
    Tensor piece(inputs[0].elem(), shape);
    copyRows(inputs[0], begin, piece, 0, rows);
    ENFOLD_TRY(const std::vector<NamedTensor> results, runner.run(std::span(&piece, 1)));
    for (size_t i = 0; i < results.size(); ++i)
      copyRows(results[i].tensor, 0, outputs[i].tensor, begin, rows);
  }
  return outputs;
}

} // namespace enfold::tool
