// An address means the same numbers as long as what lay there is alive.
#include "driver/TensorHashes.h"

#include "support/Hash.h"

#include <fmt/format.h>

namespace enfold {
namespace {

/// What is dead is looked for when so many are known.
constexpr size_t kMany = 4096;

} // namespace

std::string TensorHashes::of(const Tensor& tensor) {
  const std::string type = tensor.type().str();
  const std::lock_guard lock(mutex_);
  if (const auto found = known_.find(tensor.bytes()); found != known_.end())
    if (const auto alive = found->second.bytes.lock();
        alive == tensor.share() && found->second.size == tensor.numBytes())
      return type + found->second.hashes;
  if (known_.size() >= kMany)
    std::erase_if(known_, [](const auto& one) { return one.second.bytes.expired(); });
  if (known_.size() >= kMany) known_.clear();
  std::string hashes = fmt::format(" {:x} {:x}", hashLarge(tensor.bytes(), tensor.numBytes()),
                                   hashBytes(tensor.bytes(), tensor.numBytes()));
  known_[tensor.bytes()] = {tensor.share(), tensor.numBytes(), hashes};
  return type + hashes;
}

} // namespace enfold
