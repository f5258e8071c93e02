// Internal to lib/codegen: kernels as an optimized LLVM module, and a module as an object file.
// JIT and ahead-of-time compilation both come through here, so they give the same machine code.
#pragma once

#include "codegen/LlvmErrors.h"
#include "codegen/ProgramDesc.h"
#include "kernel/Target.h"
#include "support/Result.h"

#include <llvm/Support/CodeGen.h>

#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace enfold::codegen {

/// The kernels of some programs without repetitions, verified.
struct UniqueKernels {
  struct Entry {
    const kir::Kernel* kernel;
    std::string symbol;
    double cost; ///< estimate of the time to compile it
  };
  std::vector<Entry> entries;
  std::vector<std::vector<size_t>> entryOf; ///< by program, and index into its kernels
};

/// Refuses kernels that do not verify and steps that do not fit their kernel. Symbols begin with
/// `prefix`.
Result<UniqueKernels> uniqueKernels(std::span<const ProgramDesc> programs,
                                    const std::string& prefix);

/// Appends a kernel. Its symbol names the node that it computes, if one is given.
void add(UniqueKernels& kernels, const kir::Kernel& kernel, const std::string& prefix,
         const std::string& node = {});

/// Whether code carries the lines of the kernels' text that it comes from.
enum class DebugInfo : uint8_t { None, Lines };

/// Emits and optimizes the kernels into a new module of `work`. Lines are those of the files
/// SYMBOL.kir in the folder.
void makeModule(LlvmWork& work, std::span<const UniqueKernels::Entry> kernels,
                const kir::Target& target, DebugInfo debug = DebugInfo::None,
                const std::filesystem::path& folder = ".");

/// Machine code of the module, as an object file or as assembly. Consumes the module's IR.
std::string generate(LlvmWork& work, llvm::CodeGenFileType type);

/// The folder ENFOLD_DUMP_IR names, as a path from the root, or ".".
std::filesystem::path dumpFolder();

/// Writes NAME.kir, NAME.ll and NAME.s of each kernel to the folder ENFOLD_DUMP_IR names, if set.
void dumpKernels(std::span<const UniqueKernels::Entry> kernels, const kir::Target& target);

} // namespace enfold::codegen
