// Messages about memory.
#include "support/Memory.h"

#include <fmt/format.h>

namespace enfold {

std::unexpected<Error> noMemory(uint64_t bytes, std::string_view what) {
  return std::unexpected(Error(ErrorKind::NoMemory, OutOfMemory(bytes, what).what()));
}

std::unexpected<Error> noMemoryWhile(std::string_view doing) {
  return std::unexpected(Error(ErrorKind::NoMemory, fmt::format("out of memory while {}", doing)));
}

OutOfMemory::OutOfMemory(uint64_t bytes, std::string_view what) noexcept {
  const auto written = fmt::format_to_n(text_, sizeof text_ - 1,
                                        "out of memory: {} bytes wanted for {}", bytes, what);
  *written.out = '\0';
}

} // namespace enfold
