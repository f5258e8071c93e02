// The text and codes of the latest failed call, a thread its own.
#include "capi/Status.h"

#include "support/ErrorCodes.h"

#include <fmt/format.h>

namespace enfold::capi {
namespace {

struct Latest {
  std::string text, codes;
};

Latest& latest() {
  static thread_local Latest latest;
  return latest;
}

int statusOf(ErrorKind kind) {
  switch (kind) {
  case ErrorKind::Usage:
    return ENFOLD_INVALID_ARGUMENT;
  case ErrorKind::Invalid:
    return ENFOLD_INVALID_MODEL;
  case ErrorKind::Unsupported:
  case ErrorKind::DataDependent:
    return ENFOLD_UNSUPPORTED_MODEL;
  case ErrorKind::NoMemory:
    return ENFOLD_NO_MEMORY;
  case ErrorKind::Stopped:
    return ENFOLD_STOPPED;
  }
  return ENFOLD_INTERNAL;
}

/// Of an error that is only known by its status.
std::string_view codeOf(int status) {
  if (status == ENFOLD_NO_SUCH_FILE) return info(ErrorCode::NoSuchFile).code;
  for (const ErrorKind kind : {ErrorKind::Usage, ErrorKind::Invalid, ErrorKind::Unsupported,
                               ErrorKind::NoMemory, ErrorKind::Stopped})
    if (statusOf(kind) == status) return info(info(kind).code).code;
  return "";
}

} // namespace

enfold_status fail(int status, std::string message) {
  latest() = {std::move(message), std::string(codeOf(status))};
  return static_cast<enfold_status>(status);
}

enfold_status fail(const Error& error) {
  std::string codes;
  for (const ErrorCode code : codesOf(error))
    codes += fmt::format("{}{}", codes.empty() ? "" : " ", info(code).code);
  latest() = {error.str(), std::move(codes)};
  return static_cast<enfold_status>(statusOf(error.kind));
}

const char* lastError() { return latest().text.c_str(); }
const char* lastCodes() { return latest().codes.c_str(); }

} // namespace enfold::capi
