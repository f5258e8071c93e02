// Internal to lib/codegen: enfold_program as constant data of a module.
#pragma once

#include "codegen/KernelModule.h"

namespace enfold::codegen {

/// Adds the tables and constants of `program`, and the function SYMBOL_program that returns their
/// address, to a module that holds the kernels. Nothing but that function stays visible.
void addProgramTables(llvm::Module& module, const ProgramDesc& program,
                      const UniqueKernels& kernels, const kir::Target& target,
                      const std::string& symbol);

} // namespace enfold::codegen
