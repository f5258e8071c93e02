// Kernels are compiled to objects in memory by several threads, each with its own LLVM context,
// and linked by ORC. The most expensive kernels are compiled first, so the threads finish together.
#include "codegen/Jit.h"

#include "codegen/KernelModule.h"
#include "codegen/Llvm.h"
#include "codegen/Profilers.h"
#include "codegen/Watched.h"
#include "kernel/Structure.h"
#include "support/ErrorCodes.h"
#include "support/Hash.h"
#include "support/Parallel.h"

#include <fmt/format.h>
#include <llvm/ExecutionEngine/Orc/LLJIT.h>
#include <llvm/Support/MemoryBuffer.h>
#include <llvm/Target/TargetMachine.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <system_error>
#include <thread>

namespace enfold::codegen {
namespace {

/// Kernels in groups of about equal cost, each compiled as one module.
std::vector<std::vector<UniqueKernels::Entry>> grouped(const UniqueKernels& kernels, int threads) {
  std::vector<UniqueKernels::Entry> order = kernels.entries;
  std::ranges::stable_sort(order, std::greater{}, &UniqueKernels::Entry::cost);
  double total = 0;
  for (const UniqueKernels::Entry& entry : order) total += entry.cost;
  double share = total / (threads * 4);
  std::vector<std::vector<UniqueKernels::Entry>> groups;
  double filled = share;
  for (UniqueKernels::Entry& entry : order) {
    if (filled >= share) {
      groups.emplace_back();
      filled = 0;
    }
    filled += entry.cost;
    groups.back().push_back(std::move(entry));
  }
  return groups;
}

Result<std::vector<std::string>> compile(const UniqueKernels& kernels, const Target& target,
                                         const JitOptions& options) {
  ENFOLD_RETURN_IF_ERROR(checkProfilers());
  const int threads = options.threads > 0 ? options.threads : hardwareThreads();
  auto groups = grouped(kernels, threads);
  std::vector<std::string> objects(groups.size());
  const auto caller = std::this_thread::get_id();
  std::atomic<bool> stopped = false;
  forEachInParallel(groups.size(), threads, [&](size_t i) {
    if (options.interrupted && std::this_thread::get_id() == caller && options.interrupted())
      stopped = true;
    if (stopped) return;
    objects[i] = withLlvm([&](LlvmWork& work) {
      makeModule(work, groups[i], target, debugInfoOfJit(), dumpFolder());
      return generate(work, llvm::CodeGenFileType::ObjectFile);
    });
  });
  if (stopped) return std::unexpected(Error(ErrorKind::Stopped, "compilation was interrupted"));
  return objects;
}

bool isNoMemory(llvm::Error& error) {
  bool found = false;
  error = llvm::handleErrors(std::move(error),
                             [&](std::unique_ptr<llvm::ErrorInfoBase> info) -> llvm::Error {
                               found |= info->convertToErrorCode() == std::errc::not_enough_memory;
                               return llvm::Error(std::move(info));
                             });
  return found;
}

Error failure(llvm::Error error) {
  const bool noMemory = isNoMemory(error);
  return {noMemory ? ErrorKind::NoMemory : ErrorKind::Unsupported,
          "cannot link the generated code: " + llvm::toString(std::move(error))};
}

/// Links objects. What goes wrong on the way is kept, as LLVM reports the cause to the session and
/// only the consequence to the caller.
class Linker {
public:
  Linker() = default;
  ~Linker() {
    if (isAnnouncedForGood()) abandon();
  }
  Linker(const Linker&) = delete;
  Linker& operator=(const Linker&) = delete;

  Result<> add(const std::vector<std::string>& objects) {
    llvm::orc::JITTargetMachineBuilder machine{llvm::Triple(tripleOf(kHost))};
    auto jit = llvm::orc::LLJITBuilder().setJITTargetMachineBuilder(std::move(machine)).create();
    if (!jit) return std::unexpected(failure(jit.takeError()));
    jit_ = std::move(*jit);
    jit_->getExecutionSession().setErrorReporter([this](llvm::Error error) {
      Error reported = failure(std::move(error));
      if (!cause_) cause_ = std::move(reported);
    });
    for (const std::string& object : objects)
      if (auto error = jit_->addObjectFile(llvm::MemoryBuffer::getMemBufferCopy(object)))
        return std::unexpected(failure(std::move(error)));
    return announce(objects, [this](const std::string& symbol) -> Result<const void*> {
      ENFOLD_TRY(const enfold_kernel_fn function, lookUp(symbol));
      return reinterpret_cast<const void*>(function);
    });
  }

  Result<enfold_kernel_fn> lookUp(const std::string& symbol) {
    auto address = jit_->lookup(symbol);
    if (address) return address->toPtr<enfold_kernel_fn>();
    Error consequence = failure(address.takeError());
    return std::unexpected(cause_ ? *cause_ : std::move(consequence));
  }

  /// For when LLVM was left in the midst of its work, or the code must stay.
  void abandon() { static_cast<void>(jit_.release()); }

private:
  std::optional<Error> cause_; // outlives the session, which reports to it
  std::unique_ptr<llvm::orc::LLJIT> jit_;
};

/// The tables of enfold_program with everything they point to.
struct Tables {
  std::string name, isa;
  std::vector<TensorInfo> inputInfos, outputInfos;
  std::vector<Step> stepInfos;
  std::vector<enfold_tensor_info> inputs, outputs;
  std::vector<enfold_step> steps;
};

std::vector<enfold_tensor_info> tableOf(const std::vector<TensorInfo>& tensors) {
  std::vector<enfold_tensor_info> table;
  for (const TensorInfo& tensor : tensors) {
    enfold_tensor_info row{.name = tensor.name.c_str(),
                           .elem = tensor.elem,
                           .rank = static_cast<int32_t>(tensor.dims.size()),
                           .dims = {},
                           .bytes = tensor.bytes};
    std::ranges::copy(tensor.dims, row.dims);
    table.push_back(row);
  }
  return table;
}

enfold_step rowOf(const Step& step, enfold_kernel_fn function, int64_t iterations) {
  return {.kernel = function,
          .buffers = step.buffers.data(),
          .num_buffers = static_cast<int32_t>(step.buffers.size()),
          .parallel = step.parallel,
          .iterations = iterations,
          .grain = step.grain,
          .name = step.name.c_str(),
          .origin = step.origin.c_str(),
          .flops = step.flops,
          .bytes = step.bytes,
          .check = step.check ? step.check->c_str() : nullptr,
          .skip = step.skip};
}

} // namespace

struct KernelCode::Impl {
  MachineCode code;
  size_t bytes = 0;
  std::optional<Linker> linker; ///< none before the first kernel is asked for
};

KernelCode::KernelCode(MachineCode code) : impl_(std::make_unique<Impl>()) {
  impl_->code = std::move(code);
  for (const std::string& object : impl_->code.objects) impl_->bytes += object.size();
}

KernelCode::~KernelCode() = default;
const MachineCode& KernelCode::machineCode() const { return impl_->code; }
size_t KernelCode::bytes() const { return impl_->bytes; }

Result<enfold_kernel_fn> KernelCode::function(size_t kernel) const {
  initializeLlvm();
  return catchLlvmErrors("linking kernels", [&]() -> Result<enfold_kernel_fn> {
    const LlvmErrors errors;
    std::optional<Linker>& linker = impl_->linker;
    try {
      if (!linker) {
        linker.emplace();
        if (auto added = linker->add(impl_->code.objects); !added) {
          linker.reset();
          return std::unexpected(std::move(added).error());
        }
      }
      return linker->lookUp(impl_->code.functions[kernel].symbol);
    } catch (...) {
      linker->abandon();
      linker.reset();
      throw;
    }
  });
}

Result<std::shared_ptr<const KernelCode>> KernelCode::compile(std::vector<kir::Kernel> kernels,
                                                              const Target& target,
                                                              const JitOptions& options) {
  ProgramDesc desc;
  desc.kernels = std::move(kernels);
  ENFOLD_TRY(MachineCode code, compileKernels(desc, target, options));
  return std::make_shared<const KernelCode>(std::move(code));
}

struct JitModule::Impl {
  Linker linker;
  std::vector<ReadyKernel> kernels; ///< that were compiled before
  std::shared_ptr<const void> constantsOwner;
  Tables tables;
  enfold_program program{};

  void fillTables(const ProgramDesc& desc, const Target& target);
  Result<> fillSteps(const MachineCode& code);
  void fillSteps();
};

void JitModule::Impl::fillTables(const ProgramDesc& desc, const Target& target) {
  tables.name = desc.name;
  tables.isa = needsOf(desc, target);
  tables.inputInfos = desc.inputs;
  tables.outputInfos = desc.outputs;
  tables.stepInfos = desc.steps;
  tables.inputs = tableOf(tables.inputInfos);
  tables.outputs = tableOf(tables.outputInfos);
  constantsOwner = desc.constantsOwner;
  program = {.version = ENFOLD_PROGRAM_VERSION,
             .num_inputs = static_cast<int32_t>(tables.inputs.size()),
             .num_outputs = static_cast<int32_t>(tables.outputs.size()),
             .num_steps = static_cast<int32_t>(tables.stepInfos.size()),
             .name = tables.name.c_str(),
             .inputs = tables.inputs.data(),
             .outputs = tables.outputs.data(),
             .steps = nullptr,
             .constants = desc.constants.data(),
             .constants_bytes = static_cast<int64_t>(desc.constants.size()),
             .arena_bytes = desc.arenaBytes,
             .scratch_bytes = scratchBytes(desc),
             .isa = tables.isa.c_str()};
}

Result<> JitModule::Impl::fillSteps(const MachineCode& code) {
  for (const MachineCode::Function& function : code.functions) {
    ENFOLD_TRY(const enfold_kernel_fn address, linker.lookUp(function.symbol));
    kernels.push_back({address, function.iterations, nullptr});
  }
  fillSteps();
  return {};
}

void JitModule::Impl::fillSteps() {
  for (const Step& step : tables.stepInfos) {
    if (step.kernel < 0) {
      tables.steps.push_back(rowOf(step, step.function, step.iterations));
      continue;
    }
    const auto kernel = static_cast<size_t>(step.kernel);
    ENFOLD_CHECK(kernel < kernels.size(), step.name);
    tables.steps.push_back(rowOf(step, kernels[kernel].function, kernels[kernel].iterations));
  }
  program.steps = tables.steps.data();
}

JitModule::JitModule(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
JitModule::~JitModule() = default;
const enfold_program* JitModule::program() const { return &impl_->program; }

Result<MachineCode> compileKernels(const ProgramDesc& program, const Target& target,
                                   const JitOptions& options) {
  if (target.architecture != kHost)
    return failure(ErrorCode::UnsupportedTarget,
                   fmt::format("code for {} on {} cannot run here; compile it to a file",
                               kir::name(target.architecture), target.cpu));
  initializeLlvm();
  ENFOLD_TRY(const UniqueKernels kernels, uniqueKernels({&program, 1}, "enfold"));
  MachineCode code;
  ENFOLD_TRY(code.objects,
             catchLlvmErrors("generating code", [&]() -> Result<std::vector<std::string>> {
               dumpKernels(kernels.entries, target);
               return compile(kernels, target, options);
             }));
  const std::vector<size_t>& entryOf = kernels.entryOf.front();
  for (size_t i = 0; i < entryOf.size(); ++i)
    code.functions.push_back({kernels.entries[entryOf[i]].symbol, program.kernels[i].iterations});
  return code;
}

Result<std::unique_ptr<JitModule>> link(const ProgramDesc& program, const MachineCode& code,
                                        const Target& target) {
  initializeLlvm();
  auto impl = std::make_unique<JitModule::Impl>();
  return catchLlvmErrors("linking the generated code", [&]() -> Result<std::unique_ptr<JitModule>> {
    const LlvmErrors errors;
    try {
      ENFOLD_RETURN_IF_ERROR(impl->linker.add(code.objects));
      impl->fillTables(program, target);
      ENFOLD_RETURN_IF_ERROR(impl->fillSteps(code));
    } catch (...) {
      impl->linker.abandon();
      throw;
    }
    return std::unique_ptr<JitModule>(new JitModule(std::move(impl)));
  });
}

std::unique_ptr<JitModule> assemble(const ProgramDesc& program, std::vector<ReadyKernel> kernels,
                                    const Target& target) {
  auto impl = std::make_unique<JitModule::Impl>();
  impl->kernels = std::move(kernels);
  impl->fillTables(program, target);
  impl->fillSteps();
  return std::unique_ptr<JitModule>(new JitModule(std::move(impl)));
}

Result<std::unique_ptr<JitModule>> jit(const ProgramDesc& program, const Target& target,
                                       const JitOptions& options) {
  ENFOLD_TRY(const MachineCode code, compileKernels(program, target, options));
  return link(program, code, target);
}

} // namespace enfold::codegen
