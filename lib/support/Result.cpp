// Rendering of errors, and the end of the process when an invariant is broken.
#include "support/Result.h"

#include <fmt/core.h>

#include <cstdio>
#include <cstdlib>

namespace enfold {

std::string Error::str() const {
  std::string text;
  for (const Diag& diag : diags) {
    if (!text.empty()) text += '\n';
    text += diag.str();
  }
  return text;
}

void checkFailed(const char* condition, const char* file, int line, std::string_view message) {
  fmt::print(stderr,
             "enfold: internal error: {} ({}:{}: {})\n"
             "This is a bug in enfold. Please report it with this message, the output of `enfold "
             "--version`, the command or calls that led here, and the model.\n",
             message, file, line, condition);
  std::abort();
}

} // namespace enfold
