// Building executables and running them through the runtime's C interface.
#include "driver/Executable.h"

#include "lower/Lowering.h"

#include <fmt/format.h>

#include <chrono>

namespace enfold {
namespace {

double millisecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

Result<> checkInput(const Value& input, const Tensor& tensor) {
  if (tensor.type() == Type{input.elem(), input.shape(), {}}) return {};
  return usageError(fmt::format("input '{}' must be {}, not {}", input.name(), input.type().str(),
                                tensor.type().str()));
}

} // namespace

Result<std::shared_ptr<const Executable>> Executable::build(std::unique_ptr<Graph> graph,
                                                            const codegen::Target& target,
                                                            const BuildOptions& options) {
  std::shared_ptr<Executable> executable(new Executable);
  executable->times_.passes = options.passMilliseconds;
  auto start = std::chrono::steady_clock::now();
  executable->plan_ = lower::lowerGraph(*graph, target);
  graph->forgetConstants();
  executable->graph_ = std::move(graph);
  ENFOLD_TRY(executable->parts_, makeProgram(executable->plan_, options.constants.get()));
  executable->times_.lowering = millisecondsSince(start);
  start = std::chrono::steady_clock::now();
  ENFOLD_TRY(executable->module_, codegen::jit(executable->parts_.desc, target));
  executable->times_.codegen = millisecondsSince(start);
  return executable;
}

std::string Executable::takeError() const {
  if (!parts_.failed->exchange(false)) return "";
  for (const auto& step : parts_.references)
    if (!step->error.empty()) return std::exchange(step->error, {});
  return "a reference function failed";
}

Result<std::unique_ptr<Session>> Session::create(std::shared_ptr<const Executable> executable,
                                                 const Options& options) {
  std::unique_ptr<Session> session(new Session);
  session->executable_ = std::move(executable);
  enfold_options raw{};
  raw.threads = options.threads;
  raw.keep_denormals = options.strictDenormals;
  enfold_context* context = nullptr;
  if (enfold_create_context(&session->executable_->program(), &raw, &context) != ENFOLD_OK)
    return unsupported(enfold_last_error());
  session->context_.reset(context);
  return session;
}

Result<> Session::runRaw(std::span<const void* const> inputs, std::span<void* const> outputs) {
  const enfold_status status =
      enfold_run(context_.get(), inputs.data(), static_cast<int32_t>(inputs.size()), outputs.data(),
                 static_cast<int32_t>(outputs.size()));
  if (status == ENFOLD_INVALID_DATA) return invalid(enfold_last_error());
  if (status != ENFOLD_OK) return usageError(enfold_last_error());
  if (std::string error = executable_->takeError(); !error.empty()) return invalid(error);
  return {};
}

Result<std::vector<Tensor>> Session::run(std::span<const Tensor> inputs) {
  const Graph& graph = executable_->graph();
  if (inputs.size() != graph.inputs().size())
    return usageError(
        fmt::format("the network takes {} inputs, not {}", graph.inputs().size(), inputs.size()));
  std::vector<const void*> from;
  for (size_t i = 0; i < inputs.size(); ++i) {
    ENFOLD_RETURN_IF_ERROR(checkInput(*graph.inputs()[i], inputs[i]));
    from.push_back(inputs[i].bytes());
  }
  std::vector<Tensor> outputs;
  std::vector<void*> to;
  for (const Value* output : graph.outputs()) outputs.emplace_back(output->elem(), output->shape());
  for (Tensor& output : outputs) to.push_back(output.mutableBytes());
  ENFOLD_RETURN_IF_ERROR(runRaw(from, to));
  return outputs;
}

} // namespace enfold
