// Half-precision and bfloat16 storage types: conversion to and from float, round to nearest even.
#pragma once

#include <bit>
#include <cstdint>

namespace enfold {

struct Half {
  uint16_t bits = 0;

  Half() = default;
  explicit Half(float value);
  /// Rounds once from double, so that no value is rounded twice.
  explicit Half(double value);
  operator float() const;
};

struct BFloat16 {
  uint16_t bits = 0;

  BFloat16() = default;
  explicit BFloat16(float value);
  explicit BFloat16(double value);
  operator float() const { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }
};

} // namespace enfold
