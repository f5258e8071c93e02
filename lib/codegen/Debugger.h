// Internal to lib/codegen: GDB's interface for code that was made just in time, a list of object
// files in memory that debuggers read ("JIT Compilation Interface" in the manual of GDB).
#pragma once

#include <string>

namespace enfold::codegen {

/// Puts an object file, whose sections state where they are in memory, on the list for good. Its
/// code must stay where it is: GDB takes other code in that memory for code that has its
/// breakpoints.
void showToDebuggers(std::string object);

} // namespace enfold::codegen
