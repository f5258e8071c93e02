// Debuggers look for the two symbols below in the program and in each of its libraries, and stop
// where the function is called. The names, types and numbers are those of GDB's manual.
#include "codegen/Debugger.h"

#include <cstdint>
#include <deque>
#include <mutex>

// LLVM may define them as well: one definition serves both. A library uses its own, which it shows
// to debuggers, and not that of another library in the process.
#define ENFOLD_SHOWN_TO_DEBUGGERS [[gnu::weak, gnu::visibility("protected")]]

extern "C" {

struct jit_code_entry {
  jit_code_entry* next;
  jit_code_entry* prev;
  const char* symfile_addr;
  uint64_t symfile_size;
};

struct jit_descriptor {
  uint32_t version;
  uint32_t action_flag;
  jit_code_entry* relevant_entry;
  jit_code_entry* first_entry;
};

ENFOLD_SHOWN_TO_DEBUGGERS jit_descriptor __jit_debug_descriptor = {1, 0, nullptr, nullptr};
ENFOLD_SHOWN_TO_DEBUGGERS [[gnu::noinline]] void __jit_debug_register_code() {
  asm volatile("" ::: "memory"); // a call that is not left out
}
}

namespace enfold::codegen {
namespace {

enum Action : uint32_t { kNone, kRegister };

struct Shown {
  std::string object;
  jit_code_entry entry;
};

} // namespace

void showToDebuggers(std::string object) {
  static std::mutex mutex;
  static auto& all = *new std::deque<Shown>; // for debuggers until the process is gone
  const std::lock_guard lock(mutex);
  jit_code_entry* first = __jit_debug_descriptor.first_entry;
  Shown& shown = all.emplace_back(std::move(object));
  shown.entry = {first, nullptr, shown.object.data(), shown.object.size()};
  if (first) first->prev = &shown.entry;
  __jit_debug_descriptor.first_entry = &shown.entry;
  __jit_debug_descriptor.relevant_entry = &shown.entry;
  __jit_debug_descriptor.action_flag = kRegister;
  __jit_debug_register_code();
  __jit_debug_descriptor.action_flag = kNone;
}

} // namespace enfold::codegen
