// Numbers and types as bytes, by which kernels are told apart.
#pragma once

#include "kernel/Type.h"

#include <cstdint>
#include <string>
#include <utility>

namespace enfold::kir {

class ByteWriter {
public:
  void number(int64_t x) {
    // Most numbers are small; the sign goes to the lowest bit.
    auto rest = (static_cast<uint64_t>(x) << 1) ^ static_cast<uint64_t>(x >> 63);
    if (rest < 0x80) return bytes_.push_back(static_cast<char>(rest));
    char text[10];
    size_t length = 0;
    for (; rest >= 0x80; rest >>= 7) text[length++] = static_cast<char>(rest | 0x80);
    text[length++] = static_cast<char>(rest);
    bytes_.append(text, length);
  }

  void type(Type t) {
    number(static_cast<int64_t>(t.scalar));
    number(t.lanes);
  }

  std::string take() && { return std::move(bytes_); }

private:
  std::string bytes_;
};

} // namespace enfold::kir
