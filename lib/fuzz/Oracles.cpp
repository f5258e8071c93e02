// The oracles.
#include "fuzz/Oracles.h"

#include "driver/Compare.h"
#include "driver/Compiler.h"
#include "fuzz/Random.h"
#include "ir/ConstantText.h"
#include "ir/Parser.h"
#include "ir/Printer.h"
#include "ir/Verifier.h"
#include "reference/Reference.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>

namespace enfold::fuzz {
namespace {

/// Relative errors a compiled op may make of its own, an order of magnitude above what one rounding
/// is: how they grow on the way to an output is found out by making them.
double noiseOf(ElemType elem) {
  switch (elem) {
  case ElemType::F16:
    return 0x1p-10;
  case ElemType::BF16:
    return 0x1p-7;
  default:
    return 0x1p-20;
  }
}

void addNoise(Tensor& tensor, Random& random) {
  if (!isFloat(tensor.elem())) return;
  const double noise = noiseOf(tensor.elem());
  for (int64_t i = 0; i < tensor.numElements(); ++i)
    tensor.setDouble(i, tensor.asDouble(i) * (1 + random.uniform(-noise, noise)));
}

/// The reference's outputs when every op errs a little.
Result<std::vector<Tensor>> runWithNoise(const Graph& graph, std::span<const Tensor> inputs,
                                         uint64_t seed) {
  Random random(seed);
  std::unordered_map<const Value*, Tensor> known;
  for (size_t i = 0; i < inputs.size(); ++i) known[graph.inputs()[i].get()] = inputs[i];
  for (const auto& op : graph.ops()) {
    std::vector<const Tensor*> operands;
    for (const Value* operand : op->operands())
      operands.push_back(operand ? &known.at(operand) : nullptr);
    ENFOLD_TRY(std::vector<Tensor> results, reference::evaluate(*op, operands));
    for (size_t i = 0; i < op->numResults(); ++i) {
      addNoise(results[i], random);
      known[op->result(i)] = std::move(results[i]);
    }
  }
  std::vector<Tensor> outputs;
  for (const Value* output : graph.outputs()) outputs.push_back(known.at(output));
  return outputs;
}

class Examination {
public:
  Examination(const Graph& graph, const std::string& pipeline, uint64_t seed)
      : graph_(graph), pipeline_(pipeline), seed_(seed) {}

  std::optional<Failure> run() {
    if (auto failure = isSound(graph_)) return failure;
    if (auto failure = prepare()) return failure;
    if (auto failure = optimizeInSteps()) return failure;
    return runCompiled();
  }

private:
  static Failure failed(std::string oracle, std::string message) {
    return {std::move(oracle), std::move(message)};
  }

  /// Valid, and the same when read back from its text.
  static std::optional<Failure> isSound(const Graph& graph) {
    if (auto valid = verify(graph); !valid) return failed("verify", valid.error().str());
    const PrintOptions exact{.constants = PrintOptions::Constants::Hex};
    const std::string text = print(graph, exact);
    const auto again = parseGraph(text);
    if (!again) return failed("round-trip", again.error().str());
    if (!graph.structurallyEquals(**again)) return failed("round-trip", "another graph is read");
    if (print(**again, exact) != text) return failed("round-trip", "another text is printed");
    return std::nullopt;
  }

  std::optional<Failure> prepare() {
    for (const auto& input : graph_.inputs()) {
      inputs_.emplace_back(input->elem(), input->shape());
      fillRandom(inputs_.back(), seed_ + inputs_.size(), -1, 1);
    }
    auto expected = reference::run(graph_, inputs_);
    if (!expected) return failed("reference", expected.error().str());
    expected_ = *std::move(expected);
    const auto noisy = runWithNoise(graph_, inputs_, seed_);
    if (!noisy) return failed("reference", noisy.error().str());
    for (size_t i = 0; i < expected_.size(); ++i) {
      const Comparison c = compare((*noisy)[i], expected_[i], {});
      noise_.push_back(c.maxAbs);
    }
    return std::nullopt;
  }

  /// The outputs must agree up to a few times what noise makes of them.
  std::optional<Failure> agrees(const std::string& oracle, std::span<const Tensor> results) const {
    for (size_t i = 0; i < expected_.size(); ++i) {
      if (!std::isfinite(noise_[i])) continue;
      const double narrow = noiseOf(expected_[i].elem()) * 0x1p20;
      Tolerance tolerance{1e-4 * narrow, 1e-5 * narrow};
      Comparison c = compare(results[i], expected_[i], tolerance);
      tolerance.atol += 4 * noise_[i] / c.scale;
      c = compare(results[i], expected_[i], tolerance);
      if (!c.problem.empty()) return failed(oracle, c.problem);
      if (!c.same())
        return failed(oracle,
                      fmt::format("output {} differs in {} of {} elements by up to {:.3g} "
                                  "(of {:.3g}; noise {:.2g}), worst at {}",
                                  graph_.outputNames()[i], c.mismatches, expected_[i].numElements(),
                                  c.maxAbs, c.scale, noise_[i], c.worst));
    }
    return std::nullopt;
  }

  /// Looks at the graph behind every pass.
  class Steps final : public PassObserver {
  public:
    explicit Steps(const Examination& examination) : examination_(examination) {}
    Result<> after(const PassRun& run, const Graph& graph) override {
      if (run.rewrites == 0) return {};
      failure = isSound(graph);
      if (!failure) {
        const auto results = reference::run(graph, examination_.inputs_);
        failure =
            results ? examination_.agrees("pass", *results) : failed("pass", results.error().str());
      }
      if (!failure) return {};
      failure->message = fmt::format("after {}: {}", run.pass->name, failure->message);
      return usageError("stopped");
    }
    std::optional<Failure> failure;

  private:
    const Examination& examination_;
  };

  std::optional<Failure> optimizeInSteps() {
    Steps steps(*this);
    PipelineOptions options;
    options.observers = {&steps};
    auto pipeline = parsePipeline(pipeline_);
    if (!pipeline) return failed("pipeline", pipeline.error().str());
    const auto target = codegen::targetFor("native");
    if (!target) return failed("target", target.error().str());
    options.passes.target.channelBlock = target->lanes(kir::Scalar::F32);
    optimized_ = graph_.clone();
    const auto report = runPipeline(*optimized_, *pipeline, options);
    if (steps.failure) return steps.failure;
    if (!report) return failed("pipeline", report.error().str());
    return cutShort(*pipeline, options.passes, static_cast<int64_t>(report->rewrites.size()));
  }

  /// The graph is right after any number of rewrites.
  std::optional<Failure> cutShort(const Pipeline& pipeline, const PassOptions& passes,
                                  int64_t rewrites) const {
    if (rewrites < 2) return std::nullopt;
    const auto graph = graph_.clone();
    const int64_t limit = Random(seed_).in(1, rewrites - 1);
    const auto report = runPipeline(*graph, pipeline, {.passes = passes, .maxRewrites = limit});
    const auto where = [&](Failure failure) {
      failure.message = fmt::format("after {} rewrites: {}", limit, failure.message);
      return failure;
    };
    if (!report) return where(failed("cut", report.error().str()));
    if (auto failure = isSound(*graph)) return where(*failure);
    const auto results = reference::run(*graph, inputs_);
    if (!results) return where(failed("cut", results.error().str()));
    if (auto failure = agrees("cut", *results)) return where(*failure);
    return std::nullopt;
  }

  std::optional<Failure> runCompiled() {
    const auto target = codegen::targetFor("native");
    const auto executable = Executable::build(std::move(optimized_), *target);
    if (!executable) return failed("compile", executable.error().str());
    std::vector<Tensor> first;
    for (int threads : {1, 2}) {
      const auto session = Session::create(*executable, {.threads = threads});
      if (!session) return failed("session", session.error().str());
      for (int round = 0; round < 2; ++round) {
        const auto results = (*session)->run(inputs_);
        if (!results) return failed("run", results.error().str());
        if (first.empty()) {
          if (auto failure = agrees("jit", *results)) return failure;
          first = *results;
        }
        if (!std::ranges::equal(*results, first))
          return failed(threads == 1 ? "repeat" : "threads", "other bits than in the first run");
      }
    }
    return std::nullopt;
  }

  const Graph& graph_;
  const std::string& pipeline_;
  uint64_t seed_;
  std::vector<Tensor> inputs_, expected_;
  std::vector<double> noise_; ///< per output, its largest error when every op errs
  std::unique_ptr<Graph> optimized_;
};

} // namespace

std::optional<Failure> examine(const Graph& graph, const std::string& pipeline, uint64_t seed) {
  return Examination(graph, pipeline, seed).run();
}

} // namespace enfold::fuzz
