// A fixed buffer per thread, since reporting "no memory" must not need any.
#include "runtime/LastError.h"

#include <cstdarg>
#include <cstdio>

namespace enfold::rt {
namespace {

thread_local char text[512];

} // namespace

enfold_status fail(enfold_status status, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  return status;
}

const char* lastError() { return text; }

} // namespace enfold::rt
