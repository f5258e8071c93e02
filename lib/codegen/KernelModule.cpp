// The optimization pipeline. Kernels arrive already tiled and unrolled, so what is wanted of LLVM
// is register promotion, common subexpressions, hoisting, and its instruction selection; its loop
// passes that unroll or vectorize would only undo the author's choices.
#include "codegen/KernelModule.h"

#include "codegen/DebugLines.h"
#include "codegen/Emitter.h"
#include "codegen/Llvm.h"
#include "kernel/Printer.h"
#include "kernel/Structure.h"
#include "kernel/Verifier.h"

#include <fmt/format.h>
#include <llvm/CodeGen/Passes.h>
#include <llvm/IR/LegacyPassManager.h>
#include <llvm/IR/PassManager.h>
#include <llvm/IR/Verifier.h>
#include <llvm/Passes/PassBuilder.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/Transforms/Scalar.h>
#include <llvm/Transforms/Scalar/DCE.h>
#include <llvm/Transforms/Scalar/EarlyCSE.h>
#include <llvm/Transforms/Scalar/LICM.h>
#include <llvm/Transforms/Scalar/LoopPassManager.h>
#include <llvm/Transforms/Scalar/SROA.h>
#include <llvm/Transforms/Scalar/SimplifyCFG.h>
#include <llvm/Transforms/Utils.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <unordered_map>

namespace enfold::codegen {
namespace {

/// Instructions to generate: vectors wider than the hardware's and unrolled loops count fully.
double cost(const kir::Kernel& kernel, const kir::Block& block) {
  double sum = 0;
  for (const kir::Inst& inst : block) {
    double times = 1;
    if (inst.unroll == kir::Unroll::Full)
      times = static_cast<double>(kernel.values[inst.operands[1]].range.lo -
                                  kernel.values[inst.operands[0]].range.lo);
    sum += kir::info(inst.op).kind == kir::OpKind::FloatUnary ? 20 : 1;
    for (const kir::Block& inner : inst.blocks) sum += times * cost(kernel, inner);
  }
  return sum;
}

std::string symbolOf(const std::string& prefix, size_t number, const std::string& name,
                     const std::string& node) {
  constexpr size_t kLongest = 150;
  std::string symbol = fmt::format("{}_k{}_{}", prefix, number, name);
  if (!node.empty()) symbol += "_" + node;
  if (symbol.size() > kLongest) symbol.resize(kLongest);
  std::ranges::replace_if(symbol, [](unsigned char c) { return !std::isalnum(c); }, '_');
  return symbol;
}

/// The first node that each kernel computes; empty if none is known.
std::vector<std::string> firstNodes(const ProgramDesc& program) {
  std::vector<std::string> nodes(program.kernels.size());
  for (const Step& step : program.steps)
    if (step.kernel >= 0 && std::cmp_less(step.kernel, nodes.size()))
      if (std::string& node = nodes[static_cast<size_t>(step.kernel)]; node.empty())
        node = step.origin.substr(0, step.origin.find(" + "));
  return nodes;
}

/// What is wrong with a step, or nothing.
std::string mistakeIn(const Step& step, const ProgramDesc& program) {
  if ((step.kernel >= 0) == (step.function != nullptr))
    return "needs either a kernel or a function";
  if (step.kernel < 0) return {};
  if (step.kernel >= static_cast<int>(program.kernels.size())) return "calls an unknown kernel";
  int64_t wanted = program.kernels[static_cast<size_t>(step.kernel)].numParams();
  if (wanted != static_cast<int64_t>(step.buffers.size()))
    return fmt::format("passes {} buffers to a kernel with {}", step.buffers.size(), wanted);
  return {};
}

/// What is wrong with the steps and the tensors.
std::vector<Diag> mistakesIn(const ProgramDesc& program) {
  std::vector<Diag> diags;
  for (const Step& step : program.steps)
    if (std::string mistake = mistakeIn(step, program); !mistake.empty())
      diags.push_back({std::move(mistake), fmt::format("step '{}'", step.name)});
  for (const auto* tensors : {&program.inputs, &program.outputs})
    for (const TensorInfo& tensor : *tensors)
      if (tensor.dims.size() > ENFOLD_MAX_RANK)
        diags.push_back(
            {fmt::format("has rank {}, and {} is the most", tensor.dims.size(), ENFOLD_MAX_RANK),
             fmt::format("'{}'", tensor.name)});
  return diags;
}

void optimize(llvm::Module& module, llvm::TargetMachine& machine) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager callGraph;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&machine);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(callGraph);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, callGraph, modules);

  llvm::FunctionPassManager passes;
  passes.addPass(llvm::SROAPass(llvm::SROAOptions::ModifyCFG));
  passes.addPass(llvm::EarlyCSEPass(/*UseMemorySSA=*/false));
  passes.addPass(llvm::SimplifyCFGPass());
  passes.addPass(llvm::createFunctionToLoopPassAdaptor(llvm::LICMPass(llvm::LICMOptions()),
                                                       /*UseMemorySSA=*/true));
  passes.addPass(llvm::EarlyCSEPass(/*UseMemorySSA=*/false));
  passes.addPass(llvm::SimplifyCFGPass());
  passes.addPass(llvm::DCEPass());
  for (llvm::Function& function : module)
    if (!function.isDeclaration()) passes.run(function, functions);
}

llvm::AnalysisID idOf(llvm::Pass* pass) {
  const std::unique_ptr<llvm::Pass> owner(pass);
  return pass->getPassID();
}

/// LLVM's code generator without loop strength reduction, which takes half of its time to save a
/// shift in an inner loop: addresses are already sums of a loop-invariant part, the innermost index
/// and a constant. Nor does it add products of integers to each other before they are added to a
/// sum, which shortens chains that are no bottleneck, and takes more registers than there are.
/// Targets add these passes unless an option of the whole process says otherwise.
class CodegenPasses final : public llvm::legacy::PassManager {
public:
  void add(llvm::Pass* pass) override {
    static const llvm::AnalysisID left[] = {idOf(llvm::createCanonicalizeFreezeInLoopsPass()),
                                            idOf(llvm::createLoopStrengthReducePass()),
                                            &llvm::MachineCombinerID};
    if (std::ranges::find(left, pass->getPassID()) != std::end(left))
      delete pass;
    else
      llvm::legacy::PassManager::add(pass);
  }
};

void writeFile(const std::filesystem::path& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}

} // namespace

void add(UniqueKernels& kernels, const kir::Kernel& kernel, const std::string& prefix,
         const std::string& node) {
  kernels.entries.push_back({&kernel, symbolOf(prefix, kernels.entries.size(), kernel.name, node),
                             cost(kernel, kernel.body)});
}

Result<UniqueKernels> uniqueKernels(std::span<const ProgramDesc> programs,
                                    const std::string& prefix) {
  UniqueKernels unique;
  std::vector<Diag> diags;
  std::unordered_map<std::string, size_t> seen;
  for (const ProgramDesc& program : programs) {
    std::vector<size_t>& entryOf = unique.entryOf.emplace_back();
    const std::vector<std::string> nodes = firstNodes(program);
    for (size_t i = 0; i < program.kernels.size(); ++i) {
      const kir::Kernel& kernel = program.kernels[i];
      if (auto verified = kir::verify(kernel); !verified) {
        std::ranges::move(verified.error().diags, std::back_inserter(diags));
        continue;
      }
      auto [entry, isNew] = seen.emplace(kir::structure(kernel), unique.entries.size());
      if (isNew) add(unique, kernel, prefix, nodes[i]);
      entryOf.push_back(entry->second);
    }
    std::ranges::move(mistakesIn(program), std::back_inserter(diags));
  }
  if (!diags.empty()) return std::unexpected(Error(ErrorKind::Invalid, std::move(diags)));
  return unique;
}

std::string needsOf(const ProgramDesc& program, const kir::Target& target) {
  std::string needs = target.needs;
  const auto tilesOf = [&](bool isHalf) {
    return std::ranges::any_of(program.kernels, [&](const kir::Kernel& kernel) {
      return multipliesTiles(kernel.body, isHalf);
    });
  };
  if (target.hasTiles && tilesOf(false)) needs += ",amx_int8";
  if (target.hasTiles && tilesOf(true)) needs += ",amx_bf16";
  return needs;
}

int64_t scratchBytes(const ProgramDesc& program) {
  int64_t bytes = program.scratchBytes;
  for (const kir::Kernel& kernel : program.kernels) bytes = std::max(bytes, kernel.scratchBytes);
  return bytes;
}

void makeModule(LlvmWork& work, std::span<const UniqueKernels::Entry> kernels,
                const kir::Target& target, DebugInfo debug, const std::filesystem::path& folder) {
  work.machine = makeTargetMachine(target);
  work.module = std::make_unique<llvm::Module>("enfold", work.context);
  work.module->setTargetTriple(TripleArgument(tripleOf(target.architecture)));
  work.module->setDataLayout(work.machine->createDataLayout());
  std::optional<DebugLines> lines;
  if (debug == DebugInfo::Lines) lines.emplace(*work.module, folder.string());
  for (const UniqueKernels::Entry& entry : kernels) {
    llvm::Function* function =
        Emitter(*entry.kernel, target, *work.module).emit(entry.symbol, lines ? &*lines : nullptr);
    ENFOLD_CHECK(!llvm::verifyFunction(*function, &llvm::errs()), entry.kernel->name);
    if (fillsRegisters(*entry.kernel, target.machine)) work.hoisting.exclude(entry.symbol);
  }
  if (lines) lines->finish();
  optimize(*work.module, *work.machine);
}

std::string generate(LlvmWork& work, llvm::CodeGenFileType type) {
  llvm::SmallVector<char, 0> bytes;
  llvm::raw_svector_ostream out(bytes);
  work.passes = std::make_unique<CodegenPasses>();
  bool cannot = work.machine->addPassesToEmitFile(*work.passes, out, nullptr, type);
  ENFOLD_CHECK(!cannot, "the target writes no such file");
  work.passes->run(*work.module);
  work.passes.reset();
  return {bytes.begin(), bytes.end()};
}

std::filesystem::path dumpFolder() {
  const char* folder = std::getenv("ENFOLD_DUMP_IR");
  std::error_code failed;
  return folder && *folder ? std::filesystem::absolute(folder, failed) : ".";
}

void dumpKernels(std::span<const UniqueKernels::Entry> kernels, const kir::Target& target) {
  const char* folder = std::getenv("ENFOLD_DUMP_IR");
  if (!folder || !*folder) return;
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  for (const UniqueKernels::Entry& entry : kernels) {
    std::filesystem::path base = std::filesystem::path(folder) / entry.symbol;
    writeFile(base.string() + ".kir", kir::print(*entry.kernel));
    withLlvm([&](LlvmWork& work) {
      makeModule(work, {&entry, 1}, target);
      std::string text;
      llvm::raw_string_ostream(text) << *work.module;
      writeFile(base.string() + ".ll", text);
      writeFile(base.string() + ".s", generate(work, llvm::CodeGenFileType::AssemblyFile));
    });
  }
}

} // namespace enfold::codegen
