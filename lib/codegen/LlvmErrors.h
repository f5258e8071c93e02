// Internal to lib/codegen: what LLVM cannot do for want of memory is an error, not the end of the
// process.
#pragma once

#include "codegen/Hoisting.h"
#include "support/Memory.h"

#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/LegacyPassManager.h>
#include <llvm/IR/Module.h>
#include <llvm/Target/TargetMachine.h>

#include <memory>
#include <string>

namespace enfold::codegen {

/// While one lives, LLVM throws on this thread instead of ending the process: OutOfMemory where its
/// allocations fail, LlvmFailure for other fatal errors. LLVM has one handler for all threads of a
/// process, so enfold's stands there meanwhile, and does for other threads what LLVM would do.
class LlvmErrors {
public:
  LlvmErrors();
  ~LlvmErrors();
  LlvmErrors(const LlvmErrors&) = delete;
  LlvmErrors& operator=(const LlvmErrors&) = delete;
};

struct LlvmFailure {
  std::string reason;
};

/// What a module is made with, destroyed in the order that LLVM needs.
struct LlvmWork {
  LlvmWork() { context.setOptPassGate(hoisting); }

  Hoisting hoisting;
  llvm::LLVMContext context;
  std::unique_ptr<llvm::TargetMachine> machine;
  std::unique_ptr<llvm::Module> module;
  std::unique_ptr<llvm::legacy::PassManager> passes;
};

/// body(work) with LLVM's fatal errors as errors; throws OutOfMemory or LlvmFailure as they come.
/// LLVM's functions do not clean up when something is thrown through them: what they were working
/// on is left alone then, never to be used or freed.
template <typename F> auto withLlvm(F&& body) {
  const LlvmErrors errors;
  auto work = std::make_unique<LlvmWork>();
  try {
    return body(*work);
  } catch (...) {
    static_cast<void>(work.release());
    throw;
  }
}

/// The Result of body(), whose withLlvm() may throw.
template <typename F> std::invoke_result_t<F> catchLlvmErrors(std::string_view doing, F&& body) {
  try {
    return catchNoMemory(doing, std::forward<F>(body));
  } catch (const LlvmFailure& failure) {
    return unsupported("LLVM: " + failure.reason);
  }
}

} // namespace enfold::codegen
