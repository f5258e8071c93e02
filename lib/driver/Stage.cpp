// Running stages, and finding them by types.
#include "driver/Stage.h"

#include "support/ErrorCodes.h"
#include "support/Memory.h"

#include <fmt/format.h>

#include <algorithm>

namespace enfold {
namespace {

using onnx::Data;
using onnx::Datum;

constexpr size_t kMostStages = 16;
constexpr int64_t kMostBound = 64; ///< elements of a tensor whose contents may decide types

} // namespace

/// Runs bodies for an evaluation.
class Stage::Caller final : public onnx::Procedure::Caller {
public:
  Caller(Stage& stage, const RunLimits& limits) : stage_(stage), limits_(limits) {}

  Result<std::vector<Datum>> call(const onnx::ProcedurePtr& body, Data data) override {
    const auto routine = stage_.routineFor(body, false);
    ENFOLD_RETURN_IF_ERROR(routine->run(data, limits_));
    std::vector<Datum> outputs;
    for (const std::string& name : body->outputs()) outputs.push_back(data.at(name));
    return outputs;
  }

  Result<> proceed() override { return limits_.check(); }

private:
  Stage& stage_;
  const RunLimits& limits_;
};

std::shared_ptr<Routine> Stage::routineFor(const onnx::ProcedurePtr& procedure, bool mayBind) {
  const std::lock_guard lock(mutex_);
  auto& routine = routines_[procedure.get()];
  if (!routine) routine = std::make_shared<Routine>(procedure, options_, mayBind);
  return routine;
}

Result<> Stage::runSegment(Data& data, const RunLimits& limits) {
  std::vector<Tensor> inputs;
  for (const auto& [name, index] : inputs_) inputs.push_back(data.at(name).tensors[index]);
  ENFOLD_TRY(const std::vector<Tensor> outputs, segment_->run(inputs, limits));
  for (const auto& kept : remainder_.kept) {
    Datum datum{kept.kind, {}};
    for (const size_t output : kept.outputs) datum.tensors.push_back(outputs[output]);
    data.insert_or_assign(kept.name, std::move(datum));
  }
  return {};
}

Result<> Stage::run(Data& data, const RunLimits& limits) {
  for (const auto& [name, datum] : remainder_.known) data.insert_or_assign(name, datum);
  if (segment_) ENFOLD_RETURN_IF_ERROR(runSegment(data, limits));
  if (!remainder_.rest) return {};
  ENFOLD_RETURN_IF_ERROR(limits.check());
  Caller caller(*this, limits);
  ENFOLD_TRY(const onnx::ProcedurePtr left, remainder_.rest->evaluate(data, caller));
  if (!left) return {};
  return routineFor(left, true)->run(data, limits);
}

Routine::Key Routine::keyOf(const Data& data) const {
  Key key;
  for (const std::string& name : procedure_->inputs()) {
    const auto found = data.find(name);
    Key::Input& input = key.inputs.emplace_back();
    if (found == data.end()) continue;
    input.kind = found->second.kind;
    for (const Tensor& tensor : found->second.tensors) input.types.push_back(tensor.type());
    if (bound_.contains(name)) input.contents = found->second.tensors;
  }
  return key;
}

Result<std::shared_ptr<Stage>> Routine::stageFor(const Data& data) {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find(kept_, keyOf(data), &Kept::key);
  if (found != kept_.end()) {
    kept_.splice(kept_.begin(), kept_, found);
    return found->stage;
  }
  // What is bound must not lie in the memory of whoever runs the model.
  Data own = data;
  for (const std::string& name : procedure_->inputs())
    if (const auto input = own.find(name); mayBind_ && input != own.end())
      for (Tensor& tensor : input->second.tensors)
        if (tensor.numElements() > 0 && tensor.numElements() <= kMostBound) tensor.mutableBytes();
  ENFOLD_TRY(onnx::Part part, procedure_->cut(own, mayBind_));
  bound_.insert(part.bound.begin(), part.bound.end());
  std::unique_ptr<Segment> segment;
  if (!part.graph->outputs().empty())
    segment = std::make_unique<Segment>(std::move(part.graph), options_);
  auto stage = std::make_shared<Stage>(std::move(segment), std::move(part.inputs),
                                       std::move(part.remainder), options_);
  if (kept_.size() >= kMostStages) kept_.pop_back();
  kept_.push_front({keyOf(own), stage});
  return stage;
}

Result<> Routine::run(Data& data, const RunLimits& limits) {
  ENFOLD_RETURN_IF_ERROR(limits.check());
  ENFOLD_TRY(const auto stage, stageFor(data));
  ENFOLD_RETURN_IF_ERROR(stage->run(data, limits));
  for (const std::string& name : procedure_->outputs()) {
    if (data.contains(name)) continue;
    const Datum* constant = procedure_->constant(name);
    if (!constant) return invalid(fmt::format("'{}' could not be computed", name));
    data.emplace(name, *constant);
  }
  return {};
}

Result<std::shared_ptr<Stage>> stageOf(const std::shared_ptr<const Executable>& executable,
                                       onnx::Remainder remainder, Segment::Options options) {
  std::unique_ptr<Segment> segment;
  std::vector<onnx::Part::Input> inputs;
  if (executable) {
    ENFOLD_TRY(auto sessions, SessionPool::create(executable, options.session));
    segment = std::make_unique<Segment>(std::move(sessions));
    for (const TensorSpec& input : executable->inputs()) inputs.push_back({input.name, 0});
  }
  return std::make_shared<Stage>(std::move(segment), std::move(inputs), std::move(remainder),
                                 std::move(options));
}

std::shared_ptr<Stage> referenceStage(std::unique_ptr<Graph> graph, onnx::Remainder remainder) {
  const Segment::Options options{.compile = {}, .session = {}, .reference = true};
  std::vector<onnx::Part::Input> inputs;
  for (const auto& input : graph->inputs()) inputs.push_back({input->name(), 0});
  std::unique_ptr<Segment> segment;
  if (!graph->outputs().empty()) segment = std::make_unique<Segment>(std::move(graph), options);
  return std::make_shared<Stage>(std::move(segment), std::move(inputs), std::move(remainder),
                                 options);
}

std::vector<TensorSpec> Stage::inputs() const {
  std::vector<TensorSpec> specs;
  for (const auto& [name, type] : remainder_.inputs) specs.push_back({name, type});
  return specs;
}

namespace {

/// What the caller gives for the inputs of a model.
Result<Data> dataOf(const onnx::Signature& signature, std::span<const NamedTensor> inputs,
                    const std::map<std::string, Tensor>& defaults) {
  using Kind = onnx::DeclaredType::Kind;
  Data data;
  for (const auto& [name, type] : signature.inputs)
    if (type.kind == Kind::Sequence)
      data.emplace(name, Datum{Datum::Kind::Sequence, {}});
    else if (type.isOptional())
      data.emplace(name, Datum());
  for (const auto& [name, tensor] : defaults) data.emplace(name, Datum::of(tensor));
  for (const auto& [name, tensor] : inputs) {
    const auto declared = std::ranges::find(signature.inputs, name, &onnx::DeclaredTensor::name);
    if (declared == signature.inputs.end() || !declared->type.isSequence()) {
      data.insert_or_assign(name, Datum::of(tensor));
      continue;
    }
    Datum& sequence = data.at(name);
    sequence.kind = Datum::Kind::Sequence;
    sequence.tensors.push_back(tensor);
  }
  for (const auto& input : signature.inputs)
    if (!data.contains(input.name))
      return failure(ErrorCode::MissingInput, fmt::format("no data for input '{}'", input.name));
  return data;
}

} // namespace

Result<std::vector<Datum>> runStaged(Stage& stage, const onnx::Signature& signature,
                                     std::span<const NamedTensor> inputs,
                                     const std::map<std::string, Tensor>& defaults,
                                     const RunLimits& limits) {
  return catchNoMemory("running", [&]() -> Result<std::vector<Datum>> {
    ENFOLD_TRY(Data data, dataOf(signature, inputs, defaults));
    ENFOLD_RETURN_IF_ERROR(stage.run(data, limits));
    std::vector<Datum> outputs;
    for (const auto& output : signature.outputs) {
      const auto found = data.find(output.name);
      if (found == data.end())
        return unsupported("it could not be computed", fmt::format("output '{}'", output.name));
      Datum& datum = outputs.emplace_back(found->second);
      if (output.type.isTensor() && !datum.isTensor())
        return invalid(
            fmt::format("output '{}' is declared as a tensor, and is none", output.name));
      for (Tensor& tensor : datum.tensors) {
        const bool isInput = std::ranges::any_of(inputs, [&](const NamedTensor& input) {
          return input.tensor.bytes() == tensor.bytes();
        });
        if (isInput && tensor.numElements() > 0) tensor.mutableBytes(); // of its own
      }
    }
    return outputs;
  });
}

} // namespace enfold
