// The text of the latest failed call, a thread its own.
#include "capi/Status.h"

namespace enfold::capi {
namespace {

std::string& text() {
  static thread_local std::string text;
  return text;
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

} // namespace

enfold_status fail(int status, std::string message) {
  text() = std::move(message);
  return static_cast<enfold_status>(status);
}

enfold_status fail(const Error& error) { return fail(statusOf(error.kind), error.str()); }

const char* lastError() { return text().c_str(); }

} // namespace enfold::capi
