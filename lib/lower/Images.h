// Kernels for any number of images: where loose ranges are wanted, one image is nothing special.
#pragma once

#include "ir/Graph.h"

namespace enfold::lower {

/// Whether the operand is taken to have as many images as the result, though both have one: its
/// stride over them counts. Where it broadcasts one image to any number, another kernel does that.
bool hasImagesOf(const Value& operand, const Shape& result);

} // namespace enfold::lower
