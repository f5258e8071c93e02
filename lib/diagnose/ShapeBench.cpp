// Each size is new to the network when its turn comes.
#include "diagnose/ShapeBench.h"

#include "diagnose/Samples.h"
#include "ir/ConstantText.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>

namespace enfold::diagnose {
namespace {

using Clock = std::chrono::steady_clock;

double elapsedMs(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

/// Random tensors of the sizes that the model leaves open and the texts state.
Result<std::vector<NamedTensor>> inputsOf(const onnx::Signature& signature,
                                          const std::vector<std::string>& texts) {
  LoadOptions stated;
  for (const std::string& text : texts) ENFOLD_RETURN_IF_ERROR(addShape(stated, text));
  std::vector<NamedTensor> inputs;
  for (const onnx::DeclaredTensor& input : signature.inputs) {
    Type type{input.type.elem, {}, {}};
    if (const auto whole = stated.shapes.find(input.name); whole != stated.shapes.end()) {
      type.shape = whole->second;
    } else if (input.type.dims) {
      for (const auto& [size, symbol] : *input.type.dims) {
        const auto named = stated.dims.find(symbol);
        if (!size && named == stated.dims.end())
          return failure(ErrorCode::OpenShape, fmt::format("{}: leaves a size of input '{}' open",
                                                           fmt::join(texts, " "), input.name));
        type.shape.push_back(size ? *size : named->second);
      }
    }
    inputs.push_back({input.name, randomTensor(type, inputs.size() + 1)});
  }
  return inputs;
}

/// One run of what is measured.
using Arm = std::function<Result<>()>;

/// Times of runs of all arms in turn, so that a slow spell of the machine hits them alike.
Result<std::vector<std::vector<double>>> measure(std::span<const Arm> arms, double seconds) {
  std::vector<std::vector<double>> samples(arms.size());
  const auto start = Clock::now();
  for (bool isWarm = false; elapsedMs(start) < 1e3 * seconds || samples[0].size() < 5;
       isWarm = true)
    for (size_t i = 0; i < arms.size(); ++i)
      for (int run = 0; run < 4; ++run) {
        const auto begin = Clock::now();
        ENFOLD_RETURN_IF_ERROR(arms[i]());
        if (isWarm && run > 0) samples[i].push_back(elapsedMs(begin));
      }
  return samples;
}

/// Runs of programs for the same inputs over memory of their own.
class Memory {
public:
  Memory(std::span<const NamedTensor> inputs, const Executable& executable) {
    for (const NamedTensor& input : inputs) from_.push_back(input.tensor.bytes());
    for (const auto& [name, type] : executable.outputs())
      outputs_.emplace_back(type.elem, type.shape);
    for (Tensor& output : outputs_) to_.push_back(output.mutableBytes());
  }
  Result<> run(SessionPool& sessions) const { return sessions.run(from_, to_); }

private:
  std::vector<const void*> from_;
  std::vector<Tensor> outputs_;
  std::vector<void*> to_;
};

/// Steady times of a network that runs in stages, and of one that meets no other size.
Result<> measureStages(Network& network, const ShapeBenchProblem& problem,
                       std::span<const NamedTensor> inputs, const Network::Run& run,
                       ShapeTimes& times) {
  const auto armOf = [&](Network& any, std::shared_ptr<const Network::Program> program) -> Arm {
    return [&any, inputs, program = std::move(program)]() -> Result<> {
      ENFOLD_TRY(const auto outputs, any.run(*program, inputs));
      return {};
    };
  };
  std::vector<Arm> arms = {armOf(network, run.program)};
  std::unique_ptr<Network> fixed;
  if (problem.compare) {
    Network::Options alone = problem.network;
    alone.cache.reset();
    ENFOLD_TRY(fixed, Network::open(problem.model, std::move(alone)));
    ENFOLD_TRY(const Network::Run first, fixed->run(inputs));
    arms.push_back(armOf(*fixed, first.program));
  }
  ENFOLD_TRY(const auto samples, measure(arms, problem.seconds));
  times.steady = summarize(samples[0]).p50;
  if (fixed) times.fixed = summarize(samples[1]).p50;
  return {};
}

Result<ShapeTimes> measureSize(Network& network, const ShapeBenchProblem& problem,
                               const std::vector<std::string>& texts) {
  ShapeTimes times{.sizes = fmt::format("{}", fmt::join(texts, " ")), .stages = {}};
  ENFOLD_TRY(const std::vector<NamedTensor> inputs, inputsOf(network.signature(), texts));
  const int64_t kernels = network.kernelCompilations();
  const auto start = Clock::now();
  ENFOLD_TRY(const Network::Run run, network.run(inputs));
  times.first = elapsedMs(start);
  times.kernels = network.kernelCompilations() - kernels;
  if (run.program->isStaged()) {
    ENFOLD_RETURN_IF_ERROR(measureStages(network, problem, inputs, run, times));
    return times;
  }
  const Executable& executable = run.program->executable();
  times.stages = executable.times();
  if (inputs.size() != executable.inputs().size())
    return unsupported("an input whose contents decide shapes cannot be random");

  const Memory memory(inputs, executable);
  std::vector<Arm> arms = {[&] { return memory.run(*run.program->sessions); }};
  std::unique_ptr<SessionPool> fixed;
  if (problem.compare) {
    CompileOptions compile = problem.network.compile;
    ENFOLD_TRY(const CompiledModel compiled,
               compileModel(problem.model, inputs, problem.network.load, compile));
    compile.pins = network.options().compile.pins;
    ENFOLD_TRY(const CompiledModel pinned,
               compileModel(problem.model, inputs, problem.network.load, compile));
    ENFOLD_TRY(const auto session, Session::create(pinned.executable, problem.network.session));
    ENFOLD_TRY(fixed, SessionPool::create(compiled.executable, problem.network.session));
    std::vector<Tensor> tensors;
    for (const NamedTensor& input : inputs) tensors.push_back(input.tensor);
    ENFOLD_TRY(const std::vector<Tensor> outputs, session->run(tensors));
    times.equal = outputs == run.outputs;
    arms.push_back([&] { return memory.run(*fixed); });
  }
  ENFOLD_TRY(const auto samples, measure(arms, problem.seconds));
  times.steady = summarize(samples[0]).p50;
  if (fixed) times.fixed = summarize(samples[1]).p50;
  return times;
}

} // namespace

Result<ShapeBenchReport> benchShapes(const ShapeBenchProblem& problem) {
  ENFOLD_TRY(const auto network, Network::open(problem.model, problem.network));
  ShapeBenchReport report{.model = problem.model.name, .shapes = {}};
  for (const std::vector<std::string>& texts : problem.sizes) {
    ENFOLD_TRY(ShapeTimes times, measureSize(*network, problem, texts));
    report.shapes.push_back(std::move(times));
    if (problem.progress) problem.progress(report.shapes.size(), problem.sizes.size());
  }
  report.kernels = network->kernelCompilations();
  return report;
}

std::string print(const ShapeBenchReport& report) {
  std::string text = fmt::format("{}\n{:>9} {:>9} {:>9} {:>6} {:>8}  {}\n", report.model,
                                 "first ms", "steady ms", "fixed ms", "ratio", "compiled", "sizes");
  std::vector<double> stalls;
  double logarithms = 0, most = 0;
  for (const ShapeTimes& one : report.shapes) {
    const double ratio = one.fixed > 0 ? one.steady / one.fixed : 1;
    text += fmt::format("{:9.2f} {:9.3f} {:9.3f} {:6.3f} {:8}  {}{}\n", one.first, one.steady,
                        one.fixed, ratio, one.kernels, one.sizes, one.equal ? "" : "  OTHER BITS");
    logarithms += std::log(ratio);
    most = std::max(most, ratio);
    if (&one != &report.shapes.front()) stalls.push_back(one.first - one.steady);
  }
  if (stalls.empty()) return text;
  const Summary stall = summarize(stalls);
  return text +
         fmt::format("first - steady, of all sizes but the first: median {:.2f} ms, 90 % {:.2f}, "
                     "largest {:.2f}; steady / fixed: mean {:.3f}, largest {:.3f}; {} kernels "
                     "compiled\n",
                     stall.p50, stall.p90, *std::ranges::max_element(stalls),
                     std::exp(logarithms / static_cast<double>(report.shapes.size())), most,
                     report.kernels);
}

Json toJson(const ShapeBenchReport& report) {
  Json shapes = Json::array();
  for (const ShapeTimes& one : report.shapes)
    shapes.push_back({{"sizes", one.sizes},
                      {"first_ms", one.first},
                      {"steady_ms", one.steady},
                      {"fixed_ms", one.fixed},
                      {"equal", one.equal},
                      {"passes_ms", one.stages.passes},
                      {"lowering_ms", one.stages.lowering},
                      {"codegen_ms", one.stages.codegen},
                      {"kernels", one.kernels}});
  return {{"version", 1},
          {"model", report.model},
          {"kernels", report.kernels},
          {"shapes", std::move(shapes)}};
}

} // namespace enfold::diagnose
