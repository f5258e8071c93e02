// Terminal control sequences.
#include "tools/ProgressLine.h"

#include <fmt/format.h>

#include <unistd.h>
#include <utility>

namespace enfold::tool {
namespace {

// To the start of the line, and erase it (ECMA-48, section 8.3.41).
constexpr const char* kErase = "\r\033[K";

} // namespace

void ProgressLine::show(std::string_view text) {
  static const bool terminal = isatty(STDERR_FILENO) != 0;
  if (!terminal) return;
  shown_ = true;
  fmt::print(stderr, "{}{}", kErase, text);
  std::fflush(stderr);
}

void ProgressLine::clear() {
  if (std::exchange(shown_, false)) fmt::print(stderr, "{}", kErase);
}

std::string measuringText(double seconds, double total) {
  return fmt::format("measuring: {:.1f} of {:.1f} s", seconds, total);
}

} // namespace enfold::tool
