// Tables of input pixels.
#include "reference/WindowLoop.h"

namespace enfold::reference {

std::vector<std::vector<int64_t>> inputPixels(const Slide& slide) {
  std::vector<std::vector<int64_t>> table;
  forEachIndex(slide.window.kernel, [&](std::span<const int64_t> tap) {
    std::vector<int64_t>& pixels = table.emplace_back();
    pixels.reserve(static_cast<size_t>(numElements(slide.out)));
    forEachIndex(slide.out,
                 [&](std::span<const int64_t> o) { pixels.push_back(slide.inputPixel(o, tap)); });
  });
  return table;
}

} // namespace enfold::reference
