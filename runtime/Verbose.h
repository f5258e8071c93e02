// ENFOLD_VERBOSE=1: a line on standard error for each run and each step of it, with commas between
// its parts.
#pragma once

#include <enfold/enfold.h>

namespace enfold::rt {

/// 1 or 0, as ENFOLD_VERBOSE says; -1 if it is neither.
int32_t wantsLines();

/// "enfold,run,PROGRAM,THREADS"
void printRun(const enfold_program& program, int32_t threads);
/// "enfold,step,KERNEL,THREADS,MILLISECONDS,GFLOPS,NODES", where only the nodes may hold commas.
void printStep(const enfold_step& step, int32_t threads, int64_t nanoseconds);

} // namespace enfold::rt
