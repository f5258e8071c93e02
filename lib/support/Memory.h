// Running out of memory is an error like any other. Code that asks for as much memory as a model
// says names what it is for, and the error says how much was wanted: as a Result where there is
// one, else as an exception, which catchNoMemory() turns into a Result.
#pragma once

#include "support/Result.h"

#include <cstdint>
#include <new>
#include <stdexcept>

namespace enfold {

/// "out of memory: 411041792 bytes wanted for WHAT".
std::unexpected<Error> noMemory(uint64_t bytes, std::string_view what);
/// "out of memory while DOING".
std::unexpected<Error> noMemoryWhile(std::string_view doing);

/// Thrown where no Result can be returned. Needs no memory itself.
class OutOfMemory : public std::bad_alloc {
public:
  OutOfMemory(uint64_t bytes, std::string_view what) noexcept;
  const char* what() const noexcept override { return text_; }

private:
  char text_[256];
};

/// The Result of body(). Running out of memory in it is an error of kind NoMemory, with the name
/// given there, or else "while DOING".
template <typename F> std::invoke_result_t<F> catchNoMemory(std::string_view doing, F&& body) {
  try {
    return body();
  } catch (const OutOfMemory& error) {
    return std::unexpected(Error(ErrorKind::NoMemory, error.what()));
  } catch (const std::bad_alloc&) {
    return noMemoryWhile(doing);
  } catch (const std::length_error&) { // more than a container can hold
    return noMemoryWhile(doing);
  }
}

} // namespace enfold
