// Internal to lib/codegen: tells profilers and debuggers of code that was compiled just in time, as
// far as the environment asks for it.
//
// ENFOLD_PERF=map writes /tmp/perf-PID.map, in which `perf report` finds names of functions.
// ENFOLD_PERF=jitdump writes jit-PID.dump to the current folder, from which `perf inject --jit`
// makes files with code and lines as well. ENFOLD_GDB=1 registers the code with GDB's interface for
// it.
#pragma once

#include "codegen/KernelModule.h"
#include "codegen/Watched.h"

#include <functional>

namespace enfold::codegen {

/// An error if a variable has a value that means nothing.
Result<> checkProfilers();

/// What code should carry for those that want it.
DebugInfo debugInfoOfJit();

/// Tells of objects that were linked; `addressOf` gives the address of a function by its symbol.
Result<> announce(const std::vector<std::string>& objects,
                  const std::function<Result<const void*>(const std::string&)>& addressOf);

/// Whether code that was announced must stay until the process ends.
bool isAnnouncedForGood();

} // namespace enfold::codegen
