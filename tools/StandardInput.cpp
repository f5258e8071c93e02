// Reads until the end.
#include "tools/StandardInput.h"

#include "support/ErrorCodes.h"

#include <array>
#include <cstdio>

namespace enfold::tool {

Result<std::string> readStandardInput() {
  static bool isRead = false;
  if (isRead) return failure(ErrorCode::OptionConflict, "-: standard input can be read once only");
  isRead = true;
  std::string text;
  std::array<char, 65536> part;
  while (const size_t count = std::fread(part.data(), 1, part.size(), stdin))
    text.append(part.data(), count);
  if (std::ferror(stdin)) return failure(ErrorCode::NoSuchFile, "-: standard input cannot be read");
  if (text.empty()) return failure(ErrorCode::DamagedFile, "-: standard input is empty");
  return text;
}

} // namespace enfold::tool
