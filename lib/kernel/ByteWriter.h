// Numbers and types as bytes, by which kernels are told apart.
#pragma once

#include "kernel/Type.h"

#include <algorithm>
#include <cstdint>
#include <string>

namespace enfold::kir {

class ByteWriter {
public:
  void number(int64_t x) {
    // Most numbers are small; the sign goes to the lowest bit.
    auto rest = (static_cast<uint64_t>(x) << 1) ^ static_cast<uint64_t>(x >> 63);
    if (bytes_.size() - used_ < kLongest) bytes_.resize(std::max(kFirst, 2 * bytes_.size()));
    char* to = bytes_.data() + used_;
    for (; rest >= 0x80; rest >>= 7) *to++ = static_cast<char>(rest | 0x80);
    *to++ = static_cast<char>(rest);
    used_ = static_cast<size_t>(to - bytes_.data());
  }

  void type(Type t) {
    number(static_cast<int64_t>(t.scalar));
    number(t.lanes);
  }

  std::string take() && { return bytes_.substr(0, used_); }

private:
  static constexpr size_t kLongest = 10; ///< bytes of a number
  static constexpr size_t kFirst = 256;

  std::string bytes_; ///< of which some are not in use yet
  size_t used_ = 0;
};

} // namespace enfold::kir
