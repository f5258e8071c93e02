// What went wrong, as users meet it: codes that never change their meaning, with what they mean and
// what helps.
#pragma once

#include "support/Result.h"

#include <span>
#include <string_view>

namespace enfold {

/// The rows of ErrorCodes.def.
enum class ErrorCode : unsigned char {
  OfKind, ///< that of the kind, if nothing else is known
#define ENFOLD_ERROR(name, code, kind, meaning, advice) name,
#include "support/ErrorCodes.def"
#undef ENFOLD_ERROR
};

struct ErrorInfo {
  ErrorKind kind;
  std::string_view code; ///< "unsupported-model"
  std::string_view meaning;
  std::string_view advice;
};

/// All rows in the order of the codes.
std::span<const ErrorInfo> errorTable();
const ErrorInfo& info(ErrorCode code);

/// How each interface tells an error of this kind.
struct ErrorKindInfo {
  ErrorCode code;          ///< if nothing else is known
  int exitCode;            ///< of the command
  std::string_view status; ///< of the C interface
  std::string_view python; ///< the exception, in the package enfold
};

const ErrorKindInfo& info(ErrorKind kind);

/// The codes of an error's problems, each once, in the order of the problems.
std::vector<ErrorCode> codesOf(const Error& error);

inline std::unexpected<Error> failure(ErrorCode code, std::string message, std::string node = {}) {
  return std::unexpected(Error(code, std::move(message), std::move(node)));
}

} // namespace enfold
