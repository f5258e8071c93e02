// A 64-bit content hash (FNV-1a over 8-byte words, finished by a mixing step). Not cryptographic:
// for deduplication and cache keys only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace enfold {

constexpr uint64_t kHashSeed = 0xcbf29ce484222325u;

inline uint64_t hashMix(uint64_t hash) {
  hash ^= hash >> 33;
  hash *= 0xff51afd7ed558ccdu;
  hash ^= hash >> 33;
  hash *= 0xc4ceb9fe1a85ec53u;
  return hash ^ (hash >> 33);
}

inline uint64_t hashBytes(const void* data, size_t size, uint64_t seed = kHashSeed) {
  constexpr uint64_t kPrime = 0x100000001b3u;
  const auto* bytes = static_cast<const unsigned char*>(data);
  uint64_t hash = seed ^ (size * kPrime);
  for (; size >= 8; bytes += 8, size -= 8) {
    uint64_t word;
    std::memcpy(&word, bytes, 8);
    hash = (hash ^ word) * kPrime;
    hash ^= hash >> 29;
  }
  for (size_t i = 0; i < size; ++i) hash = (hash ^ bytes[i]) * kPrime;
  return hashMix(hash);
}

/// For megabytes: four chains of hashBytes() side by side, as fast as memory is read. Not the same
/// value as hashBytes().
inline uint64_t hashLarge(const void* data, size_t size) {
  constexpr uint64_t kPrime = 0x100000001b3u;
  constexpr size_t kChains = 4;
  const auto* bytes = static_cast<const unsigned char*>(data);
  uint64_t chains[kChains];
  for (size_t c = 0; c < kChains; ++c) chains[c] = kHashSeed + c;
  size_t at = 0;
  for (; at + 8 * kChains <= size; at += 8 * kChains)
    for (size_t c = 0; c < kChains; ++c) {
      uint64_t word;
      std::memcpy(&word, bytes + at + 8 * c, 8);
      chains[c] = (chains[c] ^ word) * kPrime;
      chains[c] ^= chains[c] >> 29;
    }
  uint64_t hash = hashBytes(bytes + at, size - at, kHashSeed ^ size);
  for (const uint64_t chain : chains) hash = hashMix((hash ^ chain) * kPrime);
  return hash;
}

inline uint64_t hashString(std::string_view text, uint64_t seed = kHashSeed) {
  return hashBytes(text.data(), text.size(), seed);
}

inline uint64_t hashCombine(uint64_t a, uint64_t b) { return hashMix(a * 0x9e3779b97f4a7c15u + b); }

} // namespace enfold
