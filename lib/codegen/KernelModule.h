// Internal to lib/codegen: kernels as an optimized LLVM module, and a module as an object file.
// JIT and ahead-of-time compilation both come through here, so they give the same machine code.
#pragma once

#include "codegen/ProgramDesc.h"
#include "kernel/Target.h"
#include "support/Result.h"

#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Module.h>
#include <llvm/Support/CodeGen.h>
#include <llvm/Target/TargetMachine.h>

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace enfold::codegen {

/// The kernels of a program without repetitions, verified.
struct UniqueKernels {
  struct Entry {
    const kir::Kernel* kernel;
    std::string symbol;
    double cost; ///< estimate of the time to compile it
  };
  std::vector<Entry> entries;
  std::vector<size_t> entryOf; ///< by index into ProgramDesc::kernels
};

/// Refuses kernels that do not verify and steps that do not fit their kernel. Symbols begin with
/// `prefix`.
Result<UniqueKernels> uniqueKernels(const ProgramDesc& program, const std::string& prefix);

/// Emits and optimizes the kernels into a new module.
std::unique_ptr<llvm::Module> makeModule(llvm::LLVMContext& context,
                                         std::span<const UniqueKernels::Entry> kernels,
                                         const kir::Target& target, llvm::TargetMachine& machine);

/// Machine code of a module, as an object file or as assembly. Consumes the module's IR.
llvm::SmallVector<char, 0> generate(llvm::Module& module, llvm::TargetMachine& machine,
                                    llvm::CodeGenFileType type);

/// Writes NAME.kir, NAME.ll and NAME.s of each kernel to the folder ENFOLD_DUMP_IR names, if set.
void dumpKernels(std::span<const UniqueKernels::Entry> kernels, const kir::Target& target);

} // namespace enfold::codegen
