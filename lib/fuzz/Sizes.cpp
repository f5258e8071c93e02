// Sizes are drawn so that most of the graph fits them; the rest goes. It is a model of the ONNX
// format from then on, as users have them.
#include "fuzz/Sizes.h"

#include "driver/Network.h"
#include "fuzz/Noise.h"
#include "fuzz/Random.h"
#include "ir/ConstantText.h"
#include "ir/Extract.h"
#include "onnx/Export.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <unordered_set>

namespace enfold::fuzz {
namespace {

constexpr size_t kSizes = 5;
constexpr int64_t kMostElements = 60000; ///< of any tensor at any size

/// Sizes by the names of open dimensions.
using Sizes = std::map<std::string, int64_t>;

/// Of each input, the names of its dimensions; "" for those that are not open.
using Symbols = std::map<std::string, std::vector<std::string>>;

/// Dimensions of pixels are open, and batches now and then; those that are alike go by one name.
Symbols drawSymbols(const Graph& graph, Random& random) {
  const bool batch = random.chance(40), all = random.chance(70);
  Symbols symbols;
  for (const auto& input : graph.inputs()) {
    const Shape& shape = input->shape();
    auto& names = symbols[input->name()];
    names.resize(shape.size());
    if (shape.size() < 3) continue;
    for (size_t axis = 0; axis < shape.size(); ++axis) {
      const bool isOpen = axis == 0 ? batch : axis + 1 == shape.size() || (axis > 1 && all);
      if (isOpen) names[axis] = fmt::format("s{}_{}", axis, shape[axis]);
    }
  }
  return symbols;
}

Shape shapeFor(const Value& input, const Symbols& symbols, const Sizes& sizes) {
  Shape shape = input.shape();
  const auto& names = symbols.at(input.name());
  for (size_t axis = 0; axis < shape.size(); ++axis)
    if (!names[axis].empty()) shape[axis] = sizes.at(names[axis]);
  return shape;
}

/// The ops that there are at these sizes.
std::unordered_set<const Op*> fitting(const Graph& graph, const Symbols& symbols,
                                      const Sizes& sizes) {
  Graph other;
  std::unordered_set<const Op*> fit;
  std::unordered_map<const Value*, Value*> values = {{nullptr, nullptr}};
  for (const auto& input : graph.inputs())
    values[input.get()] = other.addInput(
        input->name(), {input->elem(), shapeFor(*input, symbols, sizes), input->type().layout});
  for (const auto& op : graph.ops()) {
    OpSpec spec{.kind = op->kind(), .operands = {}, .attrs = op->attrs()};
    spec.numResults = op->numResults();
    const auto isThere = [&](const Value* value) { return values.contains(value); };
    if (!std::ranges::all_of(op->operands(), isThere) || !op->epilogue().empty()) continue;
    for (const Value* operand : op->operands()) spec.operands.push_back(values.at(operand));
    const auto made = other.create(std::move(spec));
    if (!made) continue;
    const auto isLarge = [&](size_t i) {
      return (*made)->result(i)->type().numElements() > kMostElements;
    };
    bool tooLarge = false;
    for (size_t i = 0; i < op->numResults(); ++i) tooLarge |= isLarge(i);
    if (tooLarge) continue;
    fit.insert(op.get());
    for (size_t i = 0; i < op->numResults(); ++i) values[op->result(i)] = (*made)->result(i);
  }
  return fit;
}

/// Of which kind the sizes are: those of the graph, one everywhere, below any tile, at the edges of
/// what bounds are tested for, larger.
int64_t drawSize(size_t kind, int64_t own, size_t rank, Random& random) {
  switch (kind) {
  case 0:
    return own;
  case 1:
    return 1;
  case 2:
    return random.in(2, 6);
  case 3:
    return std::max<int64_t>(own + random.pick({-2, -1, 1, 2}), 1);
  default:
    return rank > 4 ? random.in(6, 10) : random.pick({16, 17, 24, 31, 32, 33, 40});
  }
}

class SizesExamination {
public:
  SizesExamination(const Graph& graph, const std::string& pipeline, uint64_t seed)
      : graph_(graph), pipeline_(pipeline), seed_(seed), random_(seed + 5) {}

  std::optional<Failure> run() {
    symbols_ = drawSymbols(graph_, random_);
    const auto isOpen = [](const auto& entry) {
      return std::ranges::any_of(entry.second, [](const auto& name) { return !name.empty(); });
    };
    if (std::ranges::none_of(symbols_, isOpen)) return std::nullopt;
    drawSizes();
    if (!cutToFit()) return std::nullopt;
    if (auto failure = open()) return failure;
    // The first size has kernels of its own until it comes back.
    for (const size_t turn : {0, 1, 0, 2, 3, 1, 4, 0})
      if (auto failure = runAt(turn)) return failure;
    return std::nullopt;
  }

private:
  struct Answer {
    std::optional<Run> expected, noisy; ///< none if the reference refuses the data
    std::optional<std::vector<Tensor>> bits;
  };

  Failure failed(const char* oracle, size_t turn, const std::string& message) const {
    return {oracle, fmt::format("at {}: {}", fmt::join(sizes_[turn], " "), message)};
  }

  /// Sizes of each kind, of several tries those that fit best, in any order.
  void drawSizes() {
    constexpr int kTries = 3;
    const size_t own = fitting(graph_, symbols_, sizesOf(0)).size();
    for (size_t kind = 0; kind < kSizes; ++kind) {
      size_t most = 0;
      for (int i = 0; i == 0 || (i < kTries && 10 * most < 9 * own); ++i) {
        Sizes sizes = sizesOf(i == 0 || kind != 1 ? kind : 2);
        auto fit = fitting(graph_, symbols_, sizes);
        if (most > 0 && fit.size() <= most) continue;
        most = fit.size();
        sizes_[kind] = std::move(sizes);
      }
    }
    for (size_t i = kSizes - 1; i > 0; --i)
      std::swap(sizes_[i], sizes_[static_cast<size_t>(random_.in(0, static_cast<int64_t>(i)))]);
  }

  Sizes sizesOf(size_t kind) {
    Sizes sizes;
    for (const auto& input : graph_.inputs()) {
      const auto& names = symbols_.at(input->name());
      for (size_t axis = 0; axis < names.size(); ++axis)
        if (!names[axis].empty() && !sizes.contains(names[axis]))
          sizes[names[axis]] = axis == 0 && kind > 1
                                   ? random_.in(1, 4)
                                   : drawSize(kind, input->shape()[axis], names.size(), random_);
    }
    return sizes;
  }

  /// Keeps what there is at all sizes. False if nothing is left.
  bool cutToFit() {
    std::unordered_set<const Op*> kept = fitting(graph_, symbols_, sizes_[0]);
    for (const Sizes& sizes : std::span(sizes_).subspan(1)) {
      const auto fit = fitting(graph_, symbols_, sizes);
      std::erase_if(kept, [&](const Op* op) { return !fit.contains(op); });
    }
    std::vector<const Value*> ends;
    for (const auto& op : graph_.ops()) {
      if (!kept.contains(op.get()) || op->kind() == OpKind::Constant) continue;
      for (size_t i = 0; i < op->numResults(); ++i) {
        const Value* value = op->result(i);
        const bool isRead = std::ranges::any_of(
            value->users(), [&](const Op* user) { return kept.contains(user); });
        if (isFloat(value->elem()) && (!isRead || value->outputUses() > 0)) ends.push_back(value);
      }
    }
    if (ends.empty()) return false;
    cut_ = extract(graph_, ends, {});
    return !cut_->inputs().empty();
  }

  std::optional<Failure> open() {
    onnx::ExportOptions write;
    for (const auto& input : cut_->inputs()) {
      onnx::DeclaredType& type = write.openTypes[input->name()];
      type = {.elem = input->elem(), .dims = std::vector<onnx::DeclaredType::Dim>()};
      const auto& names = symbols_.at(input->name());
      for (size_t axis = 0; axis < names.size(); ++axis)
        type.dims->push_back(names[axis].empty()
                                 ? onnx::DeclaredType::Dim{input->shape()[axis], ""}
                                 : onnx::DeclaredType::Dim{std::nullopt, names[axis]});
    }
    for (size_t i = 0; i < cut_->outputs().size(); ++i)
      write.openTypes[cut_->outputNames()[i]] = {.elem = cut_->outputs()[i]->elem(), .dims = {}};
    auto bytes = onnx::encodeModel(*cut_, write);
    if (!bytes) return failed("sizes-export", 0, bytes.error().str());
    model_.emplace(ModelSource::inMemory(*std::move(bytes)));
    compile_.pipeline = pipeline_;
    auto network =
        Network::open(*model_, {.compile = compile_, .session = {.threads = 1}, .capacity = 2});
    if (!network) return failed("sizes-open", 0, network.error().str());
    network_ = *std::move(network);
    compile_.pins = network_->options().compile.pins;
    return std::nullopt;
  }

  std::vector<NamedTensor> inputsAt(size_t turn) const {
    std::vector<NamedTensor> inputs;
    for (const auto& input : cut_->inputs()) {
      Tensor tensor(input->elem(), shapeFor(*input, symbols_, sizes_[turn]));
      fillRandom(tensor, seed_ + 10 * turn + inputs.size(), -1, 1);
      inputs.push_back({input->name(), std::move(tensor)});
    }
    return inputs;
  }

  static std::vector<Tensor> tensorsOf(std::span<const NamedTensor> inputs) {
    std::vector<Tensor> tensors;
    for (const NamedTensor& input : inputs) tensors.push_back(input.tensor);
    return tensors;
  }

  std::optional<Failure> expect(size_t turn, std::span<const NamedTensor> inputs) {
    Answer& answer = answers_[turn];
    const auto loaded = loadModelFor(*model_, inputs, {});
    if (!loaded) return failed("sizes-import", turn, loaded.error().str());
    auto expected = runAll(*loaded->graph, tensorsOf(inputs));
    if (!expected) return std::nullopt;
    answer.expected = *std::move(expected);
    auto noisy = runWithNoise(*loaded->graph, tensorsOf(inputs), seed_);
    if (!noisy) return failed("sizes-noise", turn, noisy.error().str());
    answer.noisy = *std::move(noisy);
    return std::nullopt;
  }

  std::optional<Failure> runAt(size_t turn) {
    Answer& answer = answers_[turn];
    const bool isFirst = !answer.bits;
    const std::vector<NamedTensor> inputs = inputsAt(turn);
    if (isFirst)
      if (auto failure = expect(turn, inputs)) return failure;
    const auto run = network_->run(inputs);
    if (!run && !answer.expected) return std::nullopt;
    if (!run) return failed("sizes-run", turn, run.error().str());
    if (!answer.expected) return failed("sizes-run", turn, "data that the reference refuses pass");
    if (run->program->isStaged()) return failed("sizes-run", turn, "the network runs in stages");
    if (!isFirst && run->outputs != *answer.bits)
      return failed("sizes-again", turn, "other bits when the size comes again");
    answer.bits = run->outputs;
    if (auto failure = onTwoThreads(turn, *run, inputs)) return failure;
    if (!isFirst) return std::nullopt;
    for (size_t i = 0; i < run->outputs.size(); ++i)
      if (const std::string message =
              disagreement("output " + run->names[i], run->outputs[i], answer.expected->outputs[i],
                           answer.noisy->outputs[i]);
          !message.empty())
        return failed("sizes-reference", turn, message);
    return asAlone(turn, inputs);
  }

  std::optional<Failure> onTwoThreads(size_t turn, const Network::Run& run,
                                      std::span<const NamedTensor> inputs) const {
    const auto session = Session::create(run.program->sessions->executable(), {.threads = 2});
    if (!session) return failed("sizes-run", turn, session.error().str());
    const auto outputs = (*session)->run(tensorsOf(inputs));
    if (!outputs) return failed("sizes-run", turn, outputs.error().str());
    if (*outputs != run.outputs) return failed("sizes-threads", turn, "other bits on two threads");
    return std::nullopt;
  }

  /// Compiled for the size alone, the network gives the same bits.
  std::optional<Failure> asAlone(size_t turn, std::span<const NamedTensor> inputs) const {
    const auto compiled = compileModel(*model_, inputs, {}, compile_);
    if (!compiled) return failed("sizes-compile", turn, compiled.error().str());
    const auto session = Session::create(compiled->executable, {.threads = 1});
    if (!session) return failed("sizes-run", turn, session.error().str());
    const auto outputs = (*session)->run(tensorsOf(inputs));
    if (!outputs) return failed("sizes-run", turn, outputs.error().str());
    for (size_t i = 0; i < outputs->size(); ++i)
      if ((*outputs)[i] != (*answers_[turn].bits)[i])
        return failed("sizes", turn,
                      fmt::format("output {} has other bits than compiled for the size alone",
                                  cut_->outputNames()[i]));
    return std::nullopt;
  }

  const Graph& graph_;
  const std::string& pipeline_;
  const uint64_t seed_;
  Random random_;
  Symbols symbols_;
  std::array<Sizes, kSizes> sizes_;
  std::array<Answer, kSizes> answers_;
  std::unique_ptr<Graph> cut_; ///< what fits
  std::optional<ModelSource> model_;
  CompileOptions compile_; ///< for a size alone, once the network is open
  std::unique_ptr<Network> network_;
};

} // namespace

std::optional<Failure> examineSizes(const Graph& graph, const std::string& pipeline,
                                    uint64_t seed) {
  return SizesExamination(graph, pipeline, seed).run();
}

} // namespace enfold::fuzz
