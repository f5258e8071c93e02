// Pictures in files.
#pragma once

#include "support/Result.h"

#include <cstdint>
#include <span>
#include <vector>

namespace enfold::tool {

/// Rows of pixels from the top, the channels of a pixel next to each other.
struct Image {
  int64_t height = 0, width = 0, channels = 0;
  std::vector<uint8_t> pixels;
};

/// Whether these are the bytes of a PNG or JPEG file.
bool isImage(std::span<const std::byte> bytes);

/// Decodes a PNG or JPEG file to 1 channel (grey), 3 (red, green, blue) or 4 (and alpha, PNG only).
/// Where alpha is left out, what is transparent is black.
Result<Image> decodeImage(std::span<const std::byte> bytes, int64_t channels);

} // namespace enfold::tool
