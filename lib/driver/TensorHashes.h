// Hashes of tensors that are met again and again: those that share their numbers are hashed once.
#pragma once

#include "ir/Tensor.h"

#include <mutex>
#include <string>
#include <unordered_map>

namespace enfold {

/// Safe to use from several threads. Keeps no tensor alive.
class TensorHashes {
public:
  /// Text that stands for the tensor's type and numbers: two hashes of them.
  std::string of(const Tensor& tensor);

private:
  struct Known {
    std::weak_ptr<const std::byte> bytes; ///< that were hashed
    size_t size;
    std::string hashes;
  };
  std::mutex mutex_;
  std::unordered_map<const std::byte*, Known> known_; ///< by where they are
};

} // namespace enfold
