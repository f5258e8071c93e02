// Internal to lib/codegen: each enfold_program as constant data of a module.
#pragma once

#include "codegen/KernelModule.h"

namespace enfold::codegen {

/// Adds the tables and the constants of the programs, which they share, and the functions that
/// return their addresses (codegen/NativeFile.h), to a module that holds the kernels. Nothing but
/// these functions stays visible.
void addProgramTables(llvm::Module& module, std::span<const ProgramDesc> programs,
                      const UniqueKernels& kernels, const kir::Target& target,
                      const std::string& symbol);

} // namespace enfold::codegen
