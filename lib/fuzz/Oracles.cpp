// The checks, from the cheapest to the most expensive.
#include "fuzz/Oracles.h"

#include "diagnose/Compare.h"
#include "driver/Compiler.h"
#include "fuzz/Control.h"
#include "fuzz/Noise.h"
#include "fuzz/Random.h"
#include "fuzz/Sizes.h"
#include "ir/ConstantText.h"
#include "ir/Parser.h"
#include "ir/Printer.h"
#include "ir/Rewriter.h"
#include "ir/Verifier.h"
#include "lower/Families.h"
#include "lower/Lowering.h"
#include "lower/conv/Candidates.h"
#include "onnx/Export.h"
#include "onnx/Import.h"
#include "reference/Reference.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace enfold::fuzz {
namespace {

using diagnose::compare;
using diagnose::Comparison;
using diagnose::Tolerance;

/// Of so many graphs sizes are open too, which takes a dozen compilations; so many of the others
/// become bodies of loops, or branches.
constexpr int kOpenPercent = 20;

/// Whether results move a little when operands do, as they need not where numbers are compared or
/// cut.
bool isSmooth(const Op& op) {
  for (size_t i = 0; i < op.numResults(); ++i)
    if (op.result(i)->elem() != ElemType::F32 && op.kind() != OpKind::Constant) return false;
  switch (op.kind()) {
  case OpKind::Add:
  case OpKind::AveragePool:
  case OpKind::Clip:
  case OpKind::Concat:
  case OpKind::Constant:
  case OpKind::Conv:
  case OpKind::ConvTranspose:
  case OpKind::Flatten:
  case OpKind::Gemm:
  case OpKind::GlobalAveragePool:
  case OpKind::HardSigmoid:
  case OpKind::HardSwish:
  case OpKind::LeakyRelu:
  case OpKind::MatMul:
  case OpKind::MaxPool:
  case OpKind::Mul:
  case OpKind::Pad:
  case OpKind::Relu:
  case OpKind::Reshape:
  case OpKind::Resize:
  case OpKind::Sigmoid:
  case OpKind::Slice:
  case OpKind::Sub:
  case OpKind::Tanh:
  case OpKind::Transpose:
    return true;
  default:
    return false;
  }
}

class Examination {
public:
  Examination(const Graph& graph, const std::string& pipeline, uint64_t seed)
      : graph_(graph), pipeline_(pipeline), seed_(seed) {}

  std::optional<Failure> run(Depth depth) {
    if (depth == Depth::Sizes) return examineSizes(graph_, pipeline_, seed_);
    if (depth == Depth::Control) return examineControl(graph_, seed_);
    if (auto failure = isSound(graph_)) return failure;
    if (auto failure = prepare()) return failure;
    if (auto failure = optimizeInSteps()) return failure;
    if (depth == Depth::Passes) return std::nullopt;
    if (auto failure = runCompiled()) return failure;
    Random random(seed_ + 4);
    if (random.chance(kOpenPercent)) return examineSizes(graph_, pipeline_, seed_);
    return random.chance(kOpenPercent) ? examineControl(graph_, seed_) : std::nullopt;
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
    if (!graph.structurallyEquals(**again))
      return failed("round-trip", "the text parses to a different graph");
    if (print(**again, exact) != text)
      return failed("round-trip", "the parsed graph prints differently");
    return std::nullopt;
  }

  std::optional<Failure> prepare() {
    for (const auto& input : graph_.inputs()) {
      inputs_.emplace_back(input->elem(), input->shape());
      fillRandom(inputs_.back(), seed_ + inputs_.size(), -1, 1);
    }
    auto expected = runAll(graph_, inputs_);
    if (!expected) return failed("reference", expected.error().str());
    expected_ = *std::move(expected);
    auto noisy = runWithNoise(graph_, inputs_, seed_);
    if (!noisy) return failed("reference", noisy.error().str());
    noisy_ = *std::move(noisy);
    return throughOnnx(graph_, "export");
  }

  static std::optional<Failure> agrees(const std::string& oracle, const std::string& what,
                                       const Tensor& result, const Tensor& expected,
                                       const Tensor& noisy) {
    std::string message = disagreement(what, result, expected, noisy);
    if (message.empty()) return std::nullopt;
    return failed(oracle, std::move(message));
  }

  std::optional<Failure> outputsAgree(const std::string& oracle,
                                      std::span<const Tensor> results) const {
    for (size_t i = 0; i < results.size(); ++i)
      if (auto failure = agrees(oracle, "output " + graph_.outputNames()[i], results[i],
                                expected_.outputs[i], noisy_.outputs[i]))
        return failure;
    return std::nullopt;
  }

  /// The graph computes what the model does: its outputs, and every value that has kept a name.
  std::optional<Failure> meansTheSame(const std::string& oracle, const Graph& graph) const {
    const auto run = runAll(graph, inputs_);
    if (!run) return failed(oracle, run.error().str());
    if (auto failure = outputsAgree(oracle, run->outputs)) return failure;
    for (const auto& [name, tensor] : run->values)
      if (const auto it = expected_.values.find(name);
          it != expected_.values.end() && graph_.find(name)->producer())
        if (auto failure = agrees("name", "%" + name, tensor, it->second, noisy_.values.at(name)))
          return failure;
    return std::nullopt;
  }

  /// Written as ONNX and read again, the graph computes the same.
  std::optional<Failure> throughOnnx(const Graph& graph, const std::string& oracle) const {
    const auto bytes = onnx::encodeModel(graph);
    if (!bytes) return failed(oracle, bytes.error().str());
    const auto again = onnx::importModel(std::as_bytes(std::span(*bytes)));
    if (!again) return failed(oracle, again.error().str());
    const auto outputs = reference::run(*again->graph, inputs_);
    if (!outputs) return failed(oracle, outputs.error().str());
    return outputsAgree(oracle, *outputs);
  }

  /// Looks at the graph behind every pass.
  class Steps final : public PassObserver {
  public:
    explicit Steps(const Examination& examination) : examination_(examination) {}
    Result<> after(const PassRun& run, const Graph& graph) override {
      if (run.rewrites == 0) return {};
      failure = isSound(graph);
      if (!failure) failure = examination_.meansTheSame("pass", graph);
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
    const auto target = drawTarget();
    if (!target) return failed("target", target.error().str());
    options.passes.target = factsOf(*target);
    optimized_ = graph_.clone();
    const auto report = runPipeline(*optimized_, *pipeline, options);
    if (steps.failure) return steps.failure;
    if (!report) return failed("pipeline", report.error().str());
    if (!report->settled) return failed("settling", "repeated passes do not reach a fixpoint");
    if (auto failure = throughOnnx(*optimized_, "export-after")) return failure;
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
    if (auto failure = meansTheSame("cut", *graph)) return where(*failure);
    return std::nullopt;
  }

  /// This processor, now and then without some of the kernels.
  Result<codegen::Target> drawTarget() const {
    Random random(seed_ + 3);
    CompileOptions options;
    if (random.chance(20))
      for (const std::string_view kernel : lower::kernelNames())
        if (random.chance(20)) options.disabledKernels.emplace(kernel);
    return targetOf(options);
  }

  /// Half of the convolutions are computed in any of their candidates instead of the best.
  void chooseAlgorithms(const codegen::Target& target) {
    Random random(seed_ + 1);
    for (const auto& op : optimized_->ops()) {
      if (!op->info().attr("algorithm") || op->string("algorithm") != "auto") continue;
      const std::vector<lower::ConvCandidate> candidates = lower::convCandidates(*op, target);
      if (candidates.empty() || random.chance(50)) continue;
      Rewriter rewriter(*optimized_);
      ENFOLD_CHECK(rewriter.begin("choose", *op), "nothing limits these rewrites");
      rewriter.setAttr(op.get(), "algorithm", random.pick(candidates).name);
    }
  }

  /// Layouts made for this target are refused for vectors of other widths by an error, or lowered.
  std::optional<Failure> lowerElsewhere(codegen::Target target) const {
    for (const int bytes : {16, 32, 64}) {
      target.machine.vectorBytes = bytes;
      const auto plan = lower::lowerGraph(*optimized_, target);
      if (!plan && plan.error().str().find("no kernel") == std::string::npos)
        return failed("elsewhere", plan.error().str());
    }
    return std::nullopt;
  }

  std::optional<Failure> runCompiled() {
    const auto target = drawTarget();
    if (auto failure = lowerElsewhere(*target)) return failure;
    chooseAlgorithms(*target);
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
          if (auto failure = outputsAgree("jit", *results)) return failure;
          first = *results;
        }
        if (!std::ranges::equal(*results, first))
          return failed(threads == 1 ? "repeat" : "threads", "the bits differ from the first run");
      }
    }
    if (auto failure = runInBf16()) return failure;
    return oddNumberStays(*executable);
  }

  /// With products of bf16, results are off by what noise of that size makes of them.
  std::optional<Failure> runInBf16() const {
    constexpr double kNearby = 4 * kHalfNoise;
    const auto isOdd = [](const auto& op) { return !isSmooth(*op); };
    if (std::ranges::any_of(graph_.ops(), isOdd)) return std::nullopt;
    CompileOptions options;
    options.passes.passes.precision = Precision::Bf16;
    const auto compiled = compile(graph_.clone(), options);
    if (!compiled) return failed("bf16", compiled.error().str());
    const auto session = Session::create(compiled->executable, {.threads = 1});
    if (!session) return failed("session", session.error().str());
    const auto results = (*session)->run(inputs_);
    if (!results) return failed("run", results.error().str());
    const auto noisy = runWithNoise(graph_, inputs_, seed_, kHalfNoise);
    if (!noisy) return failed("reference", noisy.error().str());
    for (size_t i = 0; i < results->size(); ++i) {
      const Tensor& expected = expected_.outputs[i];
      const Comparison noise = compare(noisy->outputs[i], expected, {});
      if (!std::isfinite(noise.maxAbs)) continue;
      const Tolerance tolerance{kNearby, kNearby + 4 * noise.maxAbs / noise.scale};
      const Comparison c = compare((*results)[i], expected, tolerance);
      if (!c.same())
        return failed("bf16", fmt::format("output {} differs by up to {:.3g} (of {:.3g}; noise "
                                          "{:.2g}) {}",
                                          graph_.outputNames()[i], c.maxAbs, c.scale, noise.maxAbs,
                                          c.problem));
    }
    return std::nullopt;
  }

  /// One number of an input that is infinite, or huge, changes no result that, by the reference,
  /// depends neither on it nor on a NaN in its place. Left out are kernels that multiply with zeros
  /// what the reference skips: computed weights with padding, and taps of a resize.
  std::optional<Failure> oddNumberStays(const std::shared_ptr<const Executable>& executable) const {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    constexpr double kOdd[] = {kInfinity, -kInfinity, 1e30, -3.4e38};
    for (const auto& op : graph_.ops()) {
      const bool isConv = op->kind() == OpKind::Conv || op->kind() == OpKind::ConvTranspose;
      if (isConv && !op->own(1)->constant()) return std::nullopt;
      if (op->kind() == OpKind::Resize && op->string("mode") != "nearest") return std::nullopt;
    }
    Random random(seed_ + 2);
    std::vector<size_t> floats;
    for (size_t i = 0; i < inputs_.size(); ++i)
      if (isFloat(inputs_[i].elem()) && inputs_[i].numElements() > 0) floats.push_back(i);
    if (floats.empty()) return std::nullopt;
    std::vector<Tensor> inputs = inputs_;
    Tensor& input = inputs[floats[static_cast<size_t>(random.in(0, std::ssize(floats) - 1))]];
    const double odd = kOdd[random.in(0, std::ssize(kOdd) - 1)];
    const int64_t at = random.in(0, input.numElements() - 1);
    input.setDouble(at, std::numeric_limits<double>::quiet_NaN());
    const auto withNaN = reference::run(graph_, inputs);
    if (!withNaN) return failed("reference", withNaN.error().str());
    input.setDouble(at, odd);
    const auto expected = reference::run(graph_, inputs);
    if (!expected) return failed("reference", expected.error().str());
    const auto session = Session::create(executable, {.threads = 1});
    if (!session) return failed("session", session.error().str());
    auto results = (*session)->run(inputs);
    if (!results) return failed("run", results.error().str());
    for (size_t i = 0; i < results->size(); ++i) {
      const Tensor& before = expected_.outputs[i];
      for (int64_t e = 0; e < before.numElements(); ++e)
        if (before.asDouble(e) != (*expected)[i].asDouble(e) ||
            before.asDouble(e) != (*withNaN)[i].asDouble(e))
          (*results)[i].setDouble(e, before.asDouble(e));
    }
    auto failure = outputsAgree("locality", *results);
    if (failure) failure->message += fmt::format(", with one {} in an input", odd);
    return failure;
  }

  const Graph& graph_;
  const std::string& pipeline_;
  uint64_t seed_;
  std::vector<Tensor> inputs_;
  Run expected_;
  Run noisy_; ///< when every op errs
  std::unique_ptr<Graph> optimized_;
};

} // namespace

std::optional<Failure> examine(const Graph& graph, const std::string& pipeline, uint64_t seed,
                               Depth depth) {
  return Examination(graph, pipeline, seed).run(depth);
}

Depth depthOf(const std::string& oracle) {
  if (oracle.starts_with("sizes")) return Depth::Sizes;
  if (oracle.starts_with("control")) return Depth::Control;
  for (const char* early : {"verify", "round-trip", "reference", "export", "export-after", "pass",
                            "name", "cut", "pipeline", "target"})
    if (oracle == early) return Depth::Passes;
  return Depth::Everything;
}

} // namespace enfold::fuzz
