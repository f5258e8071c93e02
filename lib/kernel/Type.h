// Types of Kernel IR values: a scalar type times a number of lanes. Lanes may be any positive
// number; code generation splits or pads what the hardware lacks. `index` is a signed 64-bit
// number used for loop variables and addresses; `bool` is one bit in a register, a byte in memory.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace enfold::kir {

enum class Scalar : uint8_t {
  Index,
  Bool,
  I8,
  I16,
  I32,
  I64,
  U8,
  U16,
  U32,
  U64,
  F16,
  BF16,
  F32,
  F64,
};
inline constexpr int kNumScalars = 14;

/// The name used in text: "index", "f32", …
std::string_view name(Scalar scalar);

/// Size of one element in memory.
int64_t sizeInBytes(Scalar scalar);

constexpr bool isFloat(Scalar s) { return s >= Scalar::F16; }
constexpr bool isUnsigned(Scalar s) { return s >= Scalar::U8 && s <= Scalar::U64; }
constexpr bool isSigned(Scalar s) {
  return s == Scalar::Index || (s >= Scalar::I8 && s <= Scalar::I64);
}
constexpr bool isInteger(Scalar s) { return isSigned(s) || isUnsigned(s); }
/// Storage-only floats: they can be loaded, stored, moved and converted, not computed with.
constexpr bool isHalf(Scalar s) { return s == Scalar::F16 || s == Scalar::BF16; }

struct Type {
  Scalar scalar = Scalar::F32;
  int lanes = 1; ///< 0 only as the type of an instruction without a result

  constexpr bool operator==(const Type&) const = default;
  constexpr bool isNone() const { return lanes == 0; }
  constexpr bool isVector() const { return lanes > 1; }
  constexpr Type withLanes(int n) const { return {scalar, n}; }
  constexpr Type withScalar(Scalar s) const { return {s, lanes}; }
  int64_t sizeInBytes() const { return kir::sizeInBytes(scalar) * lanes; }
  /// "f32", "f32x8", "none".
  std::string str() const;
};

inline constexpr Type kNone{Scalar::Index, 0};
constexpr Type index(int lanes = 1) { return {Scalar::Index, lanes}; }
constexpr Type boolean(int lanes = 1) { return {Scalar::Bool, lanes}; }
constexpr Type i32(int lanes = 1) { return {Scalar::I32, lanes}; }
constexpr Type i64(int lanes = 1) { return {Scalar::I64, lanes}; }
constexpr Type f32(int lanes = 1) { return {Scalar::F32, lanes}; }
constexpr Type f64(int lanes = 1) { return {Scalar::F64, lanes}; }

/// Tiles of the ops for matrices, and their rows.
inline constexpr int kTiles = 8, kTileRows = 16;
/// A row of a tile.
constexpr Type tileRow(Scalar scalar) {
  const int bytes = scalar == Scalar::I8 || scalar == Scalar::U8 ? 1
                    : scalar == Scalar::BF16                     ? 2
                                                                 : 4;
  return {scalar, 64 / bytes};
}

} // namespace enfold::kir
