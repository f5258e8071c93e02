// The table of errors.
#include "support/ErrorCodes.h"

#include <algorithm>
#include <utility>

namespace enfold {
namespace {

constexpr ErrorInfo kTable[] = {
#define ENFOLD_ERROR(name, code, kind, meaning, advice) {ErrorKind::kind, code, meaning, advice},
#include "support/ErrorCodes.def"
#undef ENFOLD_ERROR
};

} // namespace

std::span<const ErrorInfo> errorTable() { return kTable; }

const ErrorInfo& info(ErrorCode code) {
  ENFOLD_CHECK(code != ErrorCode::OfKind, "no code, but that of a kind");
  return kTable[static_cast<size_t>(code) - 1];
}

const ErrorKindInfo& info(ErrorKind kind) {
  static constexpr ErrorKindInfo usage = {ErrorCode::Usage, 2, "ENFOLD_INVALID_ARGUMENT",
                                          "InvalidArgument"};
  static constexpr ErrorKindInfo invalid = {ErrorCode::Invalid, 3, "ENFOLD_INVALID_MODEL",
                                            "InvalidGraph"};
  static constexpr ErrorKindInfo unsupported = {ErrorCode::Unsupported, 3,
                                                "ENFOLD_UNSUPPORTED_MODEL", "NotImplemented"};
  static constexpr ErrorKindInfo noMemory = {ErrorCode::NoMemory, 3, "ENFOLD_NO_MEMORY",
                                             "RuntimeException"};
  static constexpr ErrorKindInfo dataDependent = {ErrorCode::DataDependent, 3,
                                                  "ENFOLD_UNSUPPORTED_MODEL", "NotImplemented"};
  static constexpr ErrorKindInfo stopped = {ErrorCode::Stopped, 3, "ENFOLD_STOPPED", "Stopped"};
  switch (kind) {
  case ErrorKind::Usage:
    return usage;
  case ErrorKind::Invalid:
    return invalid;
  case ErrorKind::Unsupported:
    return unsupported;
  case ErrorKind::NoMemory:
    return noMemory;
  case ErrorKind::DataDependent:
    return dataDependent;
  case ErrorKind::Stopped:
    return stopped;
  }
  std::unreachable();
}

std::vector<ErrorCode> codesOf(const Error& error) {
  std::vector<ErrorCode> codes;
  for (const Diag& diag : error.diags) {
    const ErrorCode code = diag.code == ErrorCode::OfKind ? info(error.kind).code : diag.code;
    if (std::ranges::find(codes, code) == codes.end()) codes.push_back(code);
  }
  return codes;
}

Error::Error(ErrorCode code, std::string message, std::string node)
    : kind(info(code).kind), diags{{std::move(message), std::move(node), code}} {}

} // namespace enfold
