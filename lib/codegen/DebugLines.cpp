// One compile unit a module, one file a kernel.
#include "codegen/DebugLines.h"

#include <llvm/BinaryFormat/Dwarf.h>
#include <llvm/IR/Function.h>
#include <llvm/IR/Module.h>

namespace enfold::codegen {

DebugLines::DebugLines(llvm::Module& module, const std::string& folder)
    : builder_(module), folder_(folder) {
  module.addModuleFlag(llvm::Module::Warning, "Debug Info Version", llvm::DEBUG_METADATA_VERSION);
  builder_.createCompileUnit(llvm::dwarf::DW_LANG_C, builder_.createFile("enfold.kir", folder_),
                             "enfold", /*isOptimized=*/true, /*Flags=*/"", /*RV=*/0);
}

void DebugLines::begin(llvm::Function& function, const kir::Kernel& kernel) {
  const std::string name = function.getName().str();
  llvm::DIFile* file = builder_.createFile(name + ".kir", folder_);
  function_ = builder_.createFunction(
      file, kernel.name, name, file, 1,
      builder_.createSubroutineType(builder_.getOrCreateTypeArray({})), 1, llvm::DINode::FlagZero,
      llvm::DISubprogram::SPFlagDefinition | llvm::DISubprogram::SPFlagOptimized);
  function.setSubprogram(function_);
  lines_.clear();
  kir::print(kernel, lines_);
}

llvm::DebugLoc DebugLines::of(const kir::Inst& inst) const {
  const auto found = lines_.find(&inst);
  if (found == lines_.end()) return {};
  return llvm::DILocation::get(function_->getContext(), static_cast<unsigned>(found->second), 0,
                               function_);
}

} // namespace enfold::codegen
