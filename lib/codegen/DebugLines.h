// Internal to lib/codegen: debug information that leads from machine code to lines of the kernels'
// text, so that profilers, debuggers and listings can show both.
#pragma once

#include "kernel/Printer.h"

#include <llvm/IR/DIBuilder.h>

namespace enfold::codegen {

class DebugLines {
public:
  /// Texts are in the folder.
  DebugLines(llvm::Module& module, const std::string& folder);

  /// The function is that of the kernel, whose text is the file "SYMBOL.kir".
  void begin(llvm::Function& function, const kir::Kernel& kernel);
  /// Of an instruction of the latest kernel; none if it is not in the text.
  llvm::DebugLoc of(const kir::Inst& inst) const;
  /// To be called when all functions are emitted.
  void finish() { builder_.finalize(); }

private:
  llvm::DIBuilder builder_;
  std::string folder_;
  llvm::DISubprogram* function_ = nullptr;
  kir::Lines lines_;
};

} // namespace enfold::codegen
