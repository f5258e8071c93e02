// Errors are values. Anything that a file, a model, a flag or a caller can cause is returned as
// an Error holding one or more Diags, so that every problem of a model is named at once. Anything
// that cannot happen unless enfold itself is wrong goes through ENFOLD_CHECK.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace enfold {

/// What kind of mistake an Error reports; the command line maps it to its exit code.
enum class ErrorKind {
  Usage,         ///< the caller asked for something that makes no sense (exit code 2)
  Invalid,       ///< the file or model is broken (exit code 3)
  Unsupported,   ///< the model is fine but needs something enfold lacks (exit code 3)
  NoMemory,      ///< the system has not the memory that the model takes, or must not give it (3)
  DataDependent, ///< a shape depends on a value unknown at compile time (exit code 3)
  Stopped,       ///< the caller asked to stop, or a time it set was over (exit code 3)
};

/// The cause of a problem, more precisely than its kind: see ErrorCodes.h.
enum class ErrorCode : unsigned char;

/// One problem: what is wrong, which node it concerns ("op 'name'"), if any, and its cause, if it
/// is one that has a code of its own.
struct Diag {
  std::string message;
  std::string node;
  ErrorCode code{};

  std::string str() const { return node.empty() ? message : node + ": " + message; }
  bool operator==(const Diag&) const = default;
};

/// Why an operation failed: never empty.
struct [[nodiscard]] Error {
  ErrorKind kind = ErrorKind::Invalid;
  std::vector<Diag> diags;

  Error(ErrorKind kind, std::string message, std::string node = {})
      : kind(kind), diags{{std::move(message), std::move(node)}} {}
  Error(ErrorKind kind, std::vector<Diag> diags) : kind(kind), diags(std::move(diags)) {}
  /// Of the kind that the code has.
  Error(ErrorCode code, std::string message, std::string node = {});

  /// All problems, one a line.
  std::string str() const;
};

template <typename T = void> using Result = std::expected<T, Error>;

inline std::unexpected<Error> invalid(std::string message, std::string node = {}) {
  return std::unexpected(Error(ErrorKind::Invalid, std::move(message), std::move(node)));
}
inline std::unexpected<Error> unsupported(std::string message, std::string node = {}) {
  return std::unexpected(Error(ErrorKind::Unsupported, std::move(message), std::move(node)));
}
inline std::unexpected<Error> usageError(std::string message) {
  return std::unexpected(Error(ErrorKind::Usage, std::move(message)));
}

/// Prints the message with its place and how to report it, and aborts.
[[noreturn]] void checkFailed(const char* condition, const char* file, int line,
                              std::string_view message);

} // namespace enfold

/// States an invariant of enfold's own: kept in release builds.
#define ENFOLD_CHECK(condition, message)                                                           \
  do {                                                                                             \
    if (!(condition)) ::enfold::checkFailed(#condition, __FILE__, __LINE__, (message));            \
  } while (false)

#define ENFOLD_CONCAT_(a, b) a##b
#define ENFOLD_CONCAT(a, b) ENFOLD_CONCAT_(a, b)

/// ENFOLD_TRY(auto x, expression) declares x from a Result or returns its Error;
/// ENFOLD_RETURN_IF_ERROR(expression) does the same for a Result without a value.
#define ENFOLD_TRY(declaration, expression)                                                        \
  auto ENFOLD_CONCAT(result_, __LINE__) = (expression);                                            \
  if (!ENFOLD_CONCAT(result_, __LINE__))                                                           \
    return std::unexpected(std::move(ENFOLD_CONCAT(result_, __LINE__)).error());                   \
  declaration = *std::move(ENFOLD_CONCAT(result_, __LINE__))
#define ENFOLD_RETURN_IF_ERROR(expression)                                                         \
  do {                                                                                             \
    if (auto result_ = (expression); !result_) return std::unexpected(std::move(result_).error()); \
  } while (false)
