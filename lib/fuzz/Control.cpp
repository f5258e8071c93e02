// Which way is taken, and how often, changes from run to run.
#include "fuzz/Control.h"

#include "driver/Network.h"
#include "fuzz/Noise.h"
#include "fuzz/Random.h"
#include "ir/ConstantText.h"
#include "ir/Extract.h"
#include "onnx/ExportControl.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace enfold::fuzz {
namespace {

/// What is expected of a run, and the same with noise; none where the reference refuses the data.
struct Expected {
  std::vector<Tensor> outputs, noisy;
};

Tensor randomTensor(ElemType elem, Shape shape, uint64_t seed) {
  Tensor tensor(elem, std::move(shape));
  fillRandom(tensor, seed, -1, 1);
  return tensor;
}

Tensor bytesOf(const void* from, ElemType elem, Shape shape) {
  Tensor tensor(elem, std::move(shape));
  if (tensor.numBytes() > 0) std::memcpy(tensor.mutableBytes(), from, tensor.numBytes());
  return tensor;
}

Tensor row(const Tensor& rows, int64_t number) {
  const Shape shape(rows.shape().begin() + 1, rows.shape().end());
  const int64_t bytes = numElements(shape) * static_cast<int64_t>(byteSize(rows.elem()));
  return bytesOf(rows.bytes() + number * bytes, rows.elem(), shape);
}

/// Tensors of that type as the rows of one.
Tensor stacked(const Type& type, const std::vector<Tensor>& rows) {
  Shape shape = type.shape;
  shape.insert(shape.begin(), std::ssize(rows));
  Tensor all(type.elem, std::move(shape));
  std::byte* to = all.numBytes() > 0 ? all.mutableBytes() : nullptr;
  for (const Tensor& one : rows) {
    if (one.numBytes() == 0) continue;
    std::memcpy(to, one.bytes(), one.numBytes());
    to += one.numBytes();
  }
  return all;
}

class ControlExamination {
public:
  ControlExamination(const Graph& graph, uint64_t seed)
      : graph_(graph), seed_(seed), random_(seed + 6) {
    for (const auto& op : graph.ops())
      for (size_t i = 0; op->kind() != OpKind::Constant && i < op->numResults(); ++i)
        if (isFloat(op->result(i)->elem())) values_.push_back(op->result(i));
  }

  std::optional<Failure> run() {
    if (values_.empty()) return std::nullopt;
    switch (random_.below(3)) {
    case 0:
      return branches();
    case 1:
      return loop(false);
    default:
      return loop(true);
    }
  }

private:
  using Inputs = std::vector<NamedTensor>;

  std::optional<Failure> branches() {
    const Value* a = random_.pick(values_);
    const Value* b = random_.pick(values_);
    if (a->elem() != b->elem()) return std::nullopt;
    const auto yes = extract(graph_, std::span(&a, 1), {}),
               no = extract(graph_, std::span(&b, 1), {});
    if (auto failure = open(onnx::encodeIf(*yes, *no))) return failure;
    Inputs inputs;
    for (const auto& input : graph_.inputs())
      if (yes->find(input->name()) || no->find(input->name()))
        inputs.push_back(
            {input->name(), randomTensor(input->elem(), input->shape(), seed_ + inputs.size())});
    for (const bool condition : {true, false, true, false}) {
      Inputs given = inputs;
      given.push_back({"condition", Tensor::scalar(condition)});
      const Graph& branch = condition ? *yes : *no;
      const auto expected = once(branch, inputsOf(branch, inputs), inputsOf(branch, inputs));
      if (!expected) return std::nullopt;
      if (auto failure = runOn(given, *expected, condition)) return failure;
    }
    return std::nullopt;
  }

  std::optional<Failure> loop(bool scans) {
    // A value that can be the next one of an input, and one that is collected.
    const auto last = std::ssize(graph_.inputs()) - 1;
    const Value* input = graph_.inputs()[static_cast<size_t>(random_.in(0, last))].get();
    std::vector<const Value*> next;
    if (!scans || graph_.inputs().size() > 1) // else nothing is left to scan
      std::ranges::copy_if(values_, std::back_inserter(next),
                           [&](const Value* value) { return value->type() == input->type(); });
    std::vector<const Value*> outputs;
    if (!next.empty()) outputs.push_back(random_.pick(next));
    if (next.empty() || random_.chance(70)) outputs.push_back(random_.pick(values_));
    if (outputs.size() == 2 && outputs[0] == outputs[1]) outputs.pop_back();
    const auto body = extract(graph_, outputs, {});
    onnx::LoopBody loop{*body, {}};
    if (!next.empty() && body->find(input->name())) loop.carried.push_back(input->name());
    if (!next.empty() && loop.carried.empty() && scans) return std::nullopt;
    const size_t others = body->inputs().size() - loop.carried.size();
    if (scans && others == 0) return std::nullopt;
    if (auto failure = open(scans ? onnx::encodeScan(loop) : onnx::encodeLoop(loop)))
      return failure;
    for (const int64_t trips : {2, 0, 3, 2}) {
      const Inputs given = loopInputs(loop, trips, scans);
      const auto expected = iterated(loop, given, trips, scans);
      if (!expected) return std::nullopt;
      if (auto failure = runOn(given, *expected, trips)) return failure;
    }
    return std::nullopt;
  }

  Inputs loopInputs(const onnx::LoopBody& loop, int64_t trips, bool scans) const {
    Inputs given;
    if (!scans) given.push_back({"trips", Tensor::scalar(trips)});
    for (const auto& input : loop.graph.inputs()) {
      const bool isCarried = std::ranges::find(loop.carried, input->name()) != loop.carried.end();
      Shape shape = input->shape();
      if (scans && !isCarried) shape.insert(shape.begin(), trips);
      const std::string name = isCarried ? "first " + input->name()
                               : scans   ? input->name() + " rows"
                                         : input->name();
      given.push_back({name, randomTensor(input->elem(), shape, seed_ + given.size())});
    }
    return given;
  }

  static const Tensor& named(std::span<const NamedTensor> inputs, const std::string& name) {
    return std::ranges::find(inputs, name, &NamedTensor::name)->tensor;
  }
  static std::vector<Tensor> inputsOf(const Graph& graph, std::span<const NamedTensor> inputs) {
    std::vector<Tensor> tensors;
    for (const auto& input : graph.inputs()) tensors.push_back(named(inputs, input->name()));
    return tensors;
  }

  std::optional<Expected> once(const Graph& graph, std::span<const Tensor> inputs,
                               std::span<const Tensor> noisy) const {
    auto run = runAll(graph, inputs);
    auto other = runWithNoise(graph, noisy, seed_);
    if (!run || !other) return std::nullopt;
    return Expected{std::move(run->outputs), std::move(other->outputs)};
  }

  /// By the reference, one iteration after the other.
  std::optional<Expected> iterated(const onnx::LoopBody& loop, const Inputs& given, int64_t trips,
                                   bool scans) const {
    const size_t carried = loop.carried.size(), numOutputs = loop.graph.outputs().size();
    Expected state;
    for (const std::string& name : loop.carried) {
      state.outputs.push_back(named(given, "first " + name));
      state.noisy.push_back(state.outputs.back());
    }
    std::vector<std::vector<Tensor>> rows(numOutputs), noisyRows(numOutputs);
    for (int64_t trip = 0; trip < trips; ++trip) {
      std::vector<Tensor> inputs, noisy;
      for (const auto& input : loop.graph.inputs()) {
        const auto place = std::ranges::find(loop.carried, input->name()) - loop.carried.begin();
        const auto at = static_cast<size_t>(place);
        const Tensor same = at < carried ? Tensor()
                            : scans      ? row(named(given, input->name() + " rows"), trip)
                                         : named(given, input->name());
        inputs.push_back(at < carried ? state.outputs[at] : same);
        noisy.push_back(at < carried ? state.noisy[at] : same);
      }
      auto made = once(loop.graph, inputs, noisy);
      if (!made) return std::nullopt;
      for (size_t i = 0; i < numOutputs; ++i) {
        if (i < carried) {
          state.outputs[i] = made->outputs[i];
          state.noisy[i] = made->noisy[i];
        } else {
          rows[i].push_back(made->outputs[i]);
          noisyRows[i].push_back(made->noisy[i]);
        }
      }
    }
    for (size_t i = carried; i < numOutputs; ++i) {
      const Type& type = loop.graph.outputs()[i]->type();
      state.outputs.push_back(stacked(type, rows[i]));
      state.noisy.push_back(stacked(type, noisyRows[i]));
    }
    return state;
  }

  std::optional<Failure> open(Result<std::string> bytes) {
    if (!bytes) return Failure{"control-export", bytes.error().str()};
    const ModelSource model = ModelSource::inMemory(*std::move(bytes));
    for (const int threads : {1, 2}) {
      auto network = Network::open(model, {.compile = {}, .session = {.threads = threads}});
      if (!network) return Failure{"control-open", network.error().str()};
      networks_.push_back(*std::move(network));
    }
    return std::nullopt;
  }

  /// `way` tells runs on other data apart.
  std::optional<Failure> runOn(const Inputs& given, const Expected& expected, int64_t way) {
    const auto failed = [&](const char* oracle, const std::string& message) {
      return Failure{
          oracle, fmt::format("{} of {}: {}", networks_[0]->signature().graphName, way, message)};
    };
    const auto run = networks_[0]->run(given);
    if (!run) return failed("control-run", run.error().str());
    for (size_t i = 0; i < run->outputs.size(); ++i)
      if (const std::string message =
              disagreement(run->names[i], run->outputs[i], expected.outputs[i], expected.noisy[i]);
          !message.empty())
        return failed("control-reference", message);
    const auto [known, isNew] = bits_.try_emplace(way, run->outputs);
    if (!isNew && known->second != run->outputs)
      return failed("control-again", "other bits when the data come again");
    const auto other = networks_[1]->run(given);
    if (!other) return failed("control-run", other.error().str());
    if (other->outputs != run->outputs)
      return failed("control-threads", "other bits on two threads");
    return std::nullopt;
  }

  const Graph& graph_;
  const uint64_t seed_;
  Random random_;
  std::vector<const Value*> values_; ///< that are computed
  std::vector<std::unique_ptr<Network>> networks_;
  std::map<int64_t, std::vector<Tensor>> bits_;
};

} // namespace

std::optional<Failure> examineControl(const Graph& graph, uint64_t seed) {
  return ControlExamination(graph, seed).run();
}

} // namespace enfold::fuzz
