// Words of lines.
#include "tools/SizesFile.h"

#include "onnx/RegularFile.h"
#include "support/ErrorCodes.h"

#include <cstring>
#include <sstream>

namespace enfold::tool {

Result<std::vector<std::vector<std::string>>> readSizes(const std::string& path) {
  ENFOLD_TRY(const auto file, onnx::RegularFile::open(path));
  std::string text(static_cast<size_t>(file.size()), '\0');
  if (file.size() > 0) {
    ENFOLD_TRY(const auto bytes, file.map());
    std::memcpy(text.data(), bytes.get(), text.size());
  }
  std::vector<std::vector<std::string>> sizes;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::vector<std::string> texts;
    for (std::string word; words >> word;) texts.push_back(std::move(word));
    if (!texts.empty() && !texts[0].starts_with('#')) sizes.push_back(std::move(texts));
  }
  if (sizes.empty()) return failure(ErrorCode::DamagedFile, path + ": states no sizes");
  return sizes;
}

} // namespace enfold::tool
