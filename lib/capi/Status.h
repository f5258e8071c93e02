// Statuses and texts of the compiler's C interface: nothing that happens behind it gets out of it
// as an exception.
#pragma once

#include "support/Result.h"

#include <enfold/enfold_compiler.h>

#include <exception>
#include <new>

namespace enfold::capi {

/// Keeps the text for the calling thread and returns the status.
enfold_status fail(int status, std::string text);
/// The same for an error of the library.
enfold_status fail(const Error& error);
const char* lastError();
/// Its codes, with spaces between.
const char* lastCodes();

/// Runs `body`, which returns a Result<> or an enfold_status.
template <typename Body> enfold_status guarded(Body&& body) {
  try {
    if constexpr (std::is_same_v<decltype(body()), enfold_status>) {
      return body();
    } else {
      const auto done = body();
      return done ? ENFOLD_OK : fail(done.error());
    }
  } catch (const std::bad_alloc&) {
    return fail(ENFOLD_NO_MEMORY, "out of memory");
  } catch (const std::exception& error) {
    return fail(ENFOLD_INTERNAL, error.what());
  }
}

} // namespace enfold::capi
