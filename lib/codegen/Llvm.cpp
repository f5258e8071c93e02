// One-time set-up of LLVM and the target machine that JIT and ahead-of-time compilation share.
#include "codegen/Llvm.h"

#include "support/Result.h"

#include <llvm/MC/TargetRegistry.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/Target/TargetMachine.h>

#include <mutex>
#include <string>

namespace enfold::codegen {
void initializeLlvm() {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeX86AsmParser();
    LLVMInitializeAArch64TargetInfo();
    LLVMInitializeAArch64Target();
    LLVMInitializeAArch64TargetMC();
    LLVMInitializeAArch64AsmPrinter();
    LLVMInitializeAArch64AsmParser();
  });
}

const char* tripleOf(kir::Architecture architecture) {
  switch (architecture) {
  case kir::Architecture::X86_64:
    return "x86_64-unknown-linux-gnu";
  case kir::Architecture::AArch64:
    return "aarch64-unknown-linux-gnu";
  }
  return "";
}

std::unique_ptr<llvm::TargetMachine> makeTargetMachine(const kir::Target& target) {
  initializeLlvm();
  const char* triple = tripleOf(target.architecture);
  std::string error;
  const llvm::Target* llvmTarget = llvm::TargetRegistry::lookupTarget(triple, error);
  ENFOLD_CHECK(llvmTarget, error);
  llvm::TargetOptions options;
  options.AllowFPOpFusion = llvm::FPOpFusion::Strict;
  return std::unique_ptr<llvm::TargetMachine>(llvmTarget->createTargetMachine(
      TripleArgument(triple), target.cpu, target.features, options, llvm::Reloc::PIC_,
      llvm::CodeModel::Small, llvm::CodeGenOptLevel::Default));
}

} // namespace enfold::codegen
