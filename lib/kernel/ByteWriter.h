// Numbers and types as bytes, by which kernels are told apart.
#pragma once

#include "kernel/Type.h"

#include <algorithm>
#include <cstdint>
#include <string>

namespace enfold::kir {

class ByteWriter {
public:
  void number(int64_t x) { end(put(begin(1), x)); }

  void type(Type t) {
    number(static_cast<int64_t>(t.scalar));
    number(t.lanes);
  }

  std::string take() && { return bytes_.substr(0, used_); }

protected:
  /// Where the next numbers go, of which there is room for so many.
  char* begin(size_t count) {
    const size_t wanted = used_ + count * kLongest;
    if (bytes_.size() < wanted) [[unlikely]]
      bytes_.resize(std::max({kFirst, wanted, 2 * bytes_.size()}));
    return bytes_.data() + used_;
  }
  /// Most numbers are small; the sign goes to the lowest bit. Gives where the next one goes.
  static char* put(char* to, int64_t x) {
    auto rest = (static_cast<uint64_t>(x) << 1) ^ static_cast<uint64_t>(x >> 63);
    for (; rest >= 0x80; rest >>= 7) *to++ = static_cast<char>(rest | 0x80);
    *to++ = static_cast<char>(rest);
    return to;
  }
  /// What was put up to here is there.
  void end(const char* to) { used_ = static_cast<size_t>(to - bytes_.data()); }

private:
  static constexpr size_t kLongest = 10; ///< bytes of a number
  static constexpr size_t kFirst = 4096;

  std::string bytes_; ///< of which some are not in use yet
  size_t used_ = 0;
};

} // namespace enfold::kir
