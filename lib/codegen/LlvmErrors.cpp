// LLVM's handlers: installed by the first user, removed by the last.
#include "codegen/LlvmErrors.h"

#include <llvm/Support/ErrorHandling.h>

#include <cstdio>
#include <cstdlib>
#include <mutex>

namespace enfold::codegen {
namespace {

std::mutex usersMutex;
int users = 0;
thread_local int usersHere = 0;

[[noreturn]] void end(const char* reason) {
  std::fprintf(stderr, "LLVM ERROR: %s\n", reason);
  std::abort();
}

void onFatalError(void*, const char* reason, bool) {
  if (usersHere == 0) end(reason);
  throw LlvmFailure{reason};
}

void onBadAlloc(void*, const char* reason, bool) {
  if (usersHere == 0) end(reason);
  throw std::bad_alloc();
}

} // namespace

LlvmErrors::LlvmErrors() {
  ++usersHere;
  const std::lock_guard lock(usersMutex);
  if (users++ > 0) return;
  llvm::install_fatal_error_handler(onFatalError);
  llvm::install_bad_alloc_error_handler(onBadAlloc);
}

LlvmErrors::~LlvmErrors() {
  --usersHere;
  const std::lock_guard lock(usersMutex);
  if (--users > 0) return;
  llvm::remove_fatal_error_handler();
  llvm::remove_bad_alloc_error_handler();
}

} // namespace enfold::codegen
