// Whether a program can be run at all. A context is made only for a program that passed, so nothing
// after this checks counts, indices or offsets again. What kernels do is beyond checking.
#pragma once

#include <enfold/enfold.h>

namespace enfold::rt {

/// ENFOLD_OK, or the status and last error text of the first thing wrong.
enfold_status checkProgram(const enfold_program& program);

} // namespace enfold::rt
