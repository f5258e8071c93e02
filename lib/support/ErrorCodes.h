// The kinds of errors as users meet them: codes that never change their meaning, with what they
// mean and what helps.
#pragma once

#include "support/Result.h"

#include <span>

namespace enfold {

struct ErrorInfo {
  ErrorKind kind;
  std::string_view code;   ///< "unsupported-model"
  int exitCode;            ///< of the command
  std::string_view status; ///< of the C interface
  std::string_view python; ///< the exception, in the package enfold
  std::string_view meaning;
  std::string_view advice;
};

std::span<const ErrorInfo> errorTable();
const ErrorInfo& info(ErrorKind kind);

} // namespace enfold
