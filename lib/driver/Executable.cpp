// Building executables and running them through the runtime's C interface.
#include "driver/Executable.h"

#include "codegen/Annotation.h"
#include "driver/SharedPlan.h"
#include "support/ErrorCodes.h"
#include "support/Memory.h"

#include <fmt/format.h>

#include <chrono>
#include <dlfcn.h>

namespace enfold {
namespace {

double millisecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

std::vector<TensorSpec> specsOf(const enfold_tensor_info* tensors, int32_t count) {
  std::vector<TensorSpec> specs;
  for (const enfold_tensor_info& tensor : std::span(tensors, static_cast<size_t>(count)))
    specs.push_back(
        {tensor.name,
         {static_cast<ElemType>(tensor.elem), Shape(tensor.dims, tensor.dims + tensor.rank), {}}});
  return specs;
}

Result<std::shared_ptr<const enfold_program>> linked(const codegen::ProgramDesc& desc,
                                                     const codegen::MachineCode& code,
                                                     const codegen::Target& target) {
  ENFOLD_TRY(std::shared_ptr<const codegen::JitModule> module, codegen::link(desc, code, target));
  return std::shared_ptr<const enfold_program>(module, module->program());
}

} // namespace

std::vector<TensorSpec> inputsOf(const Graph& graph) {
  std::vector<TensorSpec> specs;
  for (const auto& input : graph.inputs()) specs.push_back({input->name(), input->type()});
  return specs;
}

std::vector<TensorSpec> outputsOf(const Graph& graph) {
  std::vector<TensorSpec> specs;
  for (size_t i = 0; i < graph.outputs().size(); ++i)
    specs.push_back({graph.outputNames()[i], graph.outputs()[i]->type()});
  return specs;
}

Result<std::shared_ptr<const Executable>> Executable::build(std::unique_ptr<Graph> graph,
                                                            const codegen::Target& target,
                                                            const BuildOptions& options) {
  return catchNoMemory("lowering", [&]() -> Result<std::shared_ptr<const Executable>> {
    std::shared_ptr<Executable> executable(new Executable);
    ENFOLD_RETURN_IF_ERROR(executable->fill(std::move(graph), target, options));
    return executable;
  });
}

Result<> Executable::fill(std::unique_ptr<Graph> graph, const codegen::Target& target,
                          const BuildOptions& options) {
  times_.passes = options.passMilliseconds;
  if (options.kernels) return share(std::move(graph), target, options);
  auto start = std::chrono::steady_clock::now();
  ENFOLD_TRY(lower::Plan plan, lower::lowerGraph(*graph, target));
  ENFOLD_RETURN_IF_ERROR(take(std::move(graph), plan, options));
  ENFOLD_TRY(parts_, makeProgram(plan, options.constants.get()));
  times_.lowering = millisecondsSince(start);
  start = std::chrono::steady_clock::now();
  codegen::ProgramDesc& desc = parts_.desc;
  ENFOLD_TRY(codegen::MachineCode code,
             codegen::compileKernels(desc, target, {.interrupted = options.interrupted}));
  desc.scratchBytes = codegen::scratchBytes(desc);
  desc.kernels.clear();
  ENFOLD_TRY(program_, linked(desc, code, target));
  times_.codegen = millisecondsSince(start);
  if (options.store && referenceOps_.empty()) options.store({desc, std::move(code)});
  return {};
}

/// What is known of the program before its constants are packed.
Result<> Executable::take(std::unique_ptr<Graph> graph, const lower::Plan& plan,
                          const BuildOptions& options) {
  // The system's counts take as long as the passes do.
  if (options.memory || !options.kernels) {
    const int threads = options.memory ? options.memory->threads : 0;
    memoryNeeds_ = enfold::memoryNeeds(*graph, plan, threads);
    ENFOLD_RETURN_IF_ERROR(checkMemory(memoryNeeds_, options.memory));
  }
  graph->forgetConstants();
  graph_ = std::move(graph);
  referenceOps_ = plan.referenceOps();
  return {};
}

/// The code comes from the store, and what it wants to know of the sizes from the pool.
Result<> Executable::share(std::unique_ptr<Graph> graph, const codegen::Target& target,
                           const BuildOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  const auto observe = [&](std::span<const codegen::KernelStore::Wanted> wanted) {
    options.kernels->observe(wanted);
    return options.observe ? options.observe() : Result<>();
  };
  ENFOLD_TRY(BoundPlan shared, bindShared(*graph, target, *options.kernels,
                                          {.interrupted = options.interrupted}, observe));
  times_.codegen = shared.compileMilliseconds;
  ENFOLD_RETURN_IF_ERROR(take(std::move(graph), shared.plan, options));
  ENFOLD_TRY(parts_, makeProgram(shared.plan, options.constants.get()));
  // Many programs are kept, and only reference functions look at their ops.
  if (referenceOps_.empty()) graph_.reset();
  codegen::ProgramDesc& desc = parts_.desc;
  desc.scratchBytes = codegen::scratchBytes(desc);
  desc.kernels.clear();
  std::vector<codegen::ReadyKernel> kernels;
  std::vector<std::optional<int64_t>> sizes;
  for (codegen::KernelStore::Bound& one : shared.kernels) {
    kernels.push_back(std::move(one.kernel));
    sizes.emplace_back();
    if (one.sizes.empty()) continue;
    ENFOLD_TRY(ConstantPool::Lease lease,
               options.constants->add(std::as_bytes(std::span(one.sizes))));
    sizes.back() = lease.offset();
    parts_.leases.push_back(std::move(lease));
  }
  for (codegen::Step& step : desc.steps)
    if (step.kernel >= 0)
      if (const auto offset = sizes[static_cast<size_t>(step.kernel)])
        step.buffers.insert(step.buffers.begin(), {ENFOLD_SPACE_CONSTANT, 0, *offset});
  desc.constants = options.constants->block();
  const std::shared_ptr<const codegen::JitModule> module =
      codegen::assemble(desc, std::move(kernels), target);
  program_ = std::shared_ptr<const enfold_program>(module, module->program());
  times_.lowering = millisecondsSince(start) - times_.codegen;
  return {};
}

Result<std::shared_ptr<const Executable>> Executable::link(const StoredProgram& stored,
                                                           const codegen::Target& target) {
  std::shared_ptr<Executable> executable(new Executable);
  const auto start = std::chrono::steady_clock::now();
  executable->parts_.desc = stored.desc;
  ENFOLD_TRY(executable->program_, linked(stored.desc, stored.code, target));
  executable->times_.codegen = millisecondsSince(start);
  return executable;
}

Result<std::vector<std::shared_ptr<const Executable>>>
Executable::open(const std::filesystem::path& library) {
  ENFOLD_TRY(const std::string symbol, codegen::programFunctionIn(library));
  std::error_code error;
  const std::string path = std::filesystem::absolute(library, error).string();
  const std::shared_ptr<void> handle(::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL),
                                     [](void* opened) {
                                       if (opened) ::dlclose(opened);
                                     });
  if (!handle) return unsupported(::dlerror());
  const auto function =
      reinterpret_cast<const enfold_program* (*)()>(::dlsym(handle.get(), symbol.c_str()));
  if (!function)
    return failure(ErrorCode::DamagedFile,
                   fmt::format("{}: has no {}()", library.string(), symbol));
  std::vector<const enfold_program*> programs = {function()};
  // Only libraries for several sizes have this one.
  const auto at = reinterpret_cast<const enfold_program* (*)(int32_t)>(
      ::dlsym(handle.get(), (symbol + "_at").c_str()));
  for (int32_t i = 1; at && at(i); ++i) programs.push_back(at(i));
  std::vector<std::shared_ptr<const Executable>> executables;
  for (const enfold_program* program : programs) {
    std::shared_ptr<Executable> executable(new Executable);
    executable->program_ = {handle, program};
    executables.push_back(std::move(executable));
  }
  return executables;
}

std::vector<TensorSpec> Executable::inputs() const {
  return specsOf(program().inputs, program().num_inputs);
}

std::vector<TensorSpec> Executable::outputs() const {
  return specsOf(program().outputs, program().num_outputs);
}

Result<std::unique_ptr<Session>> Session::create(std::shared_ptr<const Executable> executable,
                                                 const Options& options) {
  std::unique_ptr<Session> session(new Session);
  session->executable_ = std::move(executable);
  enfold_options raw{};
  raw.threads = options.threads;
  raw.keep_denormals = options.strictDenormals;
  enfold_context* context = nullptr;
  const enfold_status status =
      enfold_create_context(&session->executable_->program(), &raw, &context);
  if (status == ENFOLD_NO_MEMORY || status == ENFOLD_NO_THREADS)
    return std::unexpected(Error(ErrorKind::NoMemory, enfold_last_error()));
  if (status != ENFOLD_OK) return unsupported(enfold_last_error());
  session->context_.reset(context);
  return session;
}

Result<> Session::setExecutable(std::shared_ptr<const Executable> executable) {
  const enfold_status status = enfold_set_program(context_.get(), &executable->program());
  if (status != ENFOLD_OK) return std::unexpected(Error(ErrorKind::NoMemory, enfold_last_error()));
  executable_ = std::move(executable);
  return {};
}

Result<> Session::runRaw(std::span<const void* const> inputs, std::span<void* const> outputs,
                         const enfold_run_limits* limits) {
  const enfold_status status =
      enfold_run_within(context_.get(), inputs.data(), static_cast<int32_t>(inputs.size()),
                        outputs.data(), static_cast<int32_t>(outputs.size()), limits);
  if (status == ENFOLD_STOPPED)
    return failure(limits->stop && *limits->stop ? ErrorCode::Stopped : ErrorCode::TimeLimit,
                   enfold_last_error());
  if (status == ENFOLD_INVALID_DATA) return failure(ErrorCode::BadData, enfold_last_error());
  if (status != ENFOLD_OK) return usageError(enfold_last_error());
  return {};
}

Result<std::vector<Tensor>> Session::run(std::span<const Tensor> inputs,
                                         const enfold_run_limits* limits) {
  const std::vector<TensorSpec> wanted = executable_->inputs();
  if (inputs.size() != wanted.size())
    return failure(ErrorCode::WrongInput, fmt::format("the network takes {} inputs, not {}",
                                                      wanted.size(), inputs.size()));
  std::vector<const void*> from;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].type() != wanted[i].type)
      return failure(ErrorCode::WrongInput,
                     fmt::format("input '{}' must be {}, not {}", wanted[i].name,
                                 wanted[i].type.str(), inputs[i].type().str()));
    from.push_back(inputs[i].bytes());
  }
  std::vector<Tensor> outputs;
  std::vector<void*> to;
  for (const auto& [name, type] : executable_->outputs())
    outputs.emplace_back(type.elem, type.shape);
  for (Tensor& output : outputs) to.push_back(output.mutableBytes());
  ENFOLD_RETURN_IF_ERROR(runRaw(from, to, limits));
  return outputs;
}

} // namespace enfold
