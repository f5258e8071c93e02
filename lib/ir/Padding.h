// What a pad op puts around a tensor when it is not a constant.
#pragma once

#include <cstdint>
#include <string_view>

namespace enfold {

/// The element of an axis of `size` elements that position `at` of the result of a pad of this mode
/// (edge, wrap or reflect) shows. What a negative pad removes is removed first: it is shown
/// nowhere.
int64_t paddedSource(std::string_view mode, int64_t at, int64_t size, int64_t before,
                     int64_t after);

} // namespace enfold
