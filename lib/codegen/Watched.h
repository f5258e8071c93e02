// Whether the environment asks to see code as it is made: by ENFOLD_PERF, ENFOLD_GDB or
// ENFOLD_DUMP_IR.
#pragma once

namespace enfold::codegen {

/// Then code from a cache, of which there is nothing to see, does not do.
bool isCodeWatched();

} // namespace enfold::codegen
