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

/// Times of runs of both in turn, so that a slow spell of the machine hits both alike.
Result<> measure(std::span<SessionPool* const> pools, std::span<const NamedTensor> inputs,
                 double seconds, std::vector<std::vector<double>>& samples) {
  std::vector<const void*> from;
  for (const NamedTensor& input : inputs) from.push_back(input.tensor.bytes());
  std::vector<Tensor> outputs;
  std::vector<void*> to;
  for (const auto& [name, type] : pools[0]->executable()->outputs())
    outputs.emplace_back(type.elem, type.shape);
  for (Tensor& output : outputs) to.push_back(output.mutableBytes());
  samples.assign(pools.size(), {});
  const auto start = Clock::now();
  for (bool isWarm = false; elapsedMs(start) < 1e3 * seconds || samples[0].size() < 5;
       isWarm = true)
    for (size_t i = 0; i < pools.size(); ++i)
      for (int run = 0; run < 4; ++run) {
        const auto begin = Clock::now();
        ENFOLD_RETURN_IF_ERROR(pools[i]->run(from, to));
        if (isWarm && run > 0) samples[i].push_back(elapsedMs(begin));
      }
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
  times.stages = run.program->executable().times();
  if (inputs.size() != run.program->executable().inputs().size())
    return unsupported("an input whose contents decide shapes cannot be random");

  std::vector<SessionPool*> pools = {run.program->sessions.get()};
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
    pools.push_back(fixed.get());
  }
  std::vector<std::vector<double>> samples;
  ENFOLD_RETURN_IF_ERROR(measure(pools, inputs, problem.seconds, samples));
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
