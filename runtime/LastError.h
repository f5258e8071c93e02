// Error messages: each thread keeps the text of its latest failed call.
#pragma once

#include <enfold/enfold.h>

namespace enfold::rt {

/// Keeps the formatted text for the calling thread and returns `status`.
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
enfold_status
fail(enfold_status status, const char* format, ...);

const char* lastError();

} // namespace enfold::rt
