// How the bytes of pictures become an input: which axis holds the channels, and which numbers bytes
// stand for.
#pragma once

#include "ir/Tensor.h"
#include "support/Result.h"
#include "tools/Images.h"

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace enfold::tool {

struct PixelOptions {
  std::vector<double> mean, scale; ///< none, one, or one for each channel
  std::string layout;              ///< "nchw", "nhwc", or empty: as the shape suggests

  void add(CLI::App& app);

  /// The axis of channels of an input of that shape, with -1 for sizes that are open.
  size_t channelAxis(const Shape& shape) const;

  /// For a float input, unsigned bytes are pixels: (byte - mean) / scale, by default byte / 255.
  Result<Tensor> asNumbers(Tensor tensor, const Type& input) const;

  /// The images as one tensor of bytes for an input of that shape, with -1 for sizes that are open.
  Result<Tensor> asBatch(const std::vector<Image>& images, const Shape& shape) const;
};

} // namespace enfold::tool
