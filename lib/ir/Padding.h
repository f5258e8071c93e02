// What a pad op puts around a tensor when it is not a constant.
#pragma once

#include <cstdint>
#include <string_view>

namespace enfold {

/// The element of an axis of `size` elements that a pad of this mode (edge, wrap or reflect) shows
/// at position `at`, which may lie outside.
int64_t paddedSource(std::string_view mode, int64_t at, int64_t size);

} // namespace enfold
