// Channels in blocks: element [n,c,p] moves to [n, c / block, p, c % block].
#include "lower/Reorder.h"

#include <cstring>

namespace enfold::lower {

bool isReorderedConstant(const Op& op) {
  return op.kind() == OpKind::Reorder && op.own(0)->constant();
}

std::vector<std::byte> blockedBytes(const Tensor& tensor, int block) {
  const Type type = {tensor.elem(), tensor.shape(), {block}};
  const size_t size = byteSize(tensor.elem());
  const int64_t images = tensor.shape()[0], channels = tensor.shape()[1];
  const int64_t blocks = (channels + block - 1) / block;
  int64_t pixels = 1;
  for (size_t i = 2; i < tensor.shape().size(); ++i) pixels *= tensor.shape()[i];
  std::vector<std::byte> bytes(static_cast<size_t>(type.numBytes()));
  const std::byte* from = tensor.bytes();
  for (int64_t n = 0; n < images; ++n)
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t p = 0; p < pixels; ++p, from += size) {
        const int64_t to = ((n * blocks + c / block) * pixels + p) * block + c % block;
        std::memcpy(bytes.data() + static_cast<size_t>(to) * size, from, size);
      }
  return bytes;
}

} // namespace enfold::lower
