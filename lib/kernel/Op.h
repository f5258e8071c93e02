// The instructions of Kernel IR and what they mean. Operands of an arithmetic instruction have one
// common type, which is also the result's, unless said otherwise; every instruction works lane by
// lane. Nothing is reassociated or contracted: a kernel gives the same bits wherever the same
// instruction set is used.
//
// Integers wrap around. div and rem truncate, floor_div and floor_mod round the quotient down and
// give the remainder the divisor's sign; dividing by zero gives 0 and never traps. On floats rem is
// C's fmod, floor_mod is Python's %. Shift amounts at or above the width shift everything out; shr
// of a signed type copies the sign.
//
// min and max propagate NaN. min_fast(a, b) is a < b ? a : b and max_fast(a, b) is a > b ? a : b,
// one instruction: on NaN the *second* operand is the result, so max_fast(0, x) is a relu that
// propagates NaN. fma rounds once where the target can, else it is a mul and an add. round goes to
// even on ties. rsqrt is 1/sqrt(x), not an approximation. normal_cdf is (1 + erf(x / sqrt(2))) / 2,
// elu is x > 0 ? x : exp(x) - 1. Comparisons with NaN are false but ne.
//
// dot(sum, a, b) adds to each lane of the sum the products of a word of a and a word of b: of four
// 8-bit integers, signed or not, or of two i16. Products and sums are exact modulo 2^32. Of two
// bf16 they are added in f32, in an order and with roundings that are the target's.
//
// cast to a narrower integer drops the high bits; from float to integer it truncates, and out of
// range the result is unspecified; between floats it rounds to nearest even; to bool it is != 0.
// cast_sat is the same from float or integer to integer, but clamps, and takes NaN to 0. f16 and
// bf16 are storage types: they are cast, moved and stored, and computed with in f32. bitcast keeps
// the bits in order, lowest lane first; lanes may be split or joined.
//
// Reductions over lanes fold the upper half onto the lower until one lane is left (lanes beyond
// the largest power of two are folded first), so their order does not depend on the hardware.
//
// Memory is addressed by element; only the alignment of one element is assumed. load and store
// move contiguous lanes; broadcast loads one element into all lanes, broadcast_word a few
// contiguous ones and repeats them; the partial forms touch only the first `count` lanes (any count
// is allowed, none or all), the others load the fill value; load_strided reads every `stride`th
// element; gather and scatter add a vector of element offsets. Scattering two lanes to one element
// keeps the higher lane. Distinct buffers never overlap.
//
// A tile is a register of 16 rows of 64 bytes; there are eight, numbered from 0, and what they hold
// at the start of an iteration is undefined. tile_load fills one from rows that are a stride apart
// in memory, which may be 0, and tile_store writes one. tile_dot adds products of matrices to a
// tile of 32-bit sums: row i, lane j grows by dot() of word k of row i of the tile a with word j of
// row k of the tile b, for the words k = 0, 1, ... of a row. The bytes of b are signed; those of a
// are as its type says. Of bf16, which are summed in f32, numbers below the normal ones count as
// zero.
//
// Code generation moves no load or store across a barrier, and none behind it is replaced by what
// one before it has read. It is no instruction of the machine: where many loads are written out one
// after the other it limits how many registers their values take.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace enfold::kir {

enum class Op : uint8_t {
#define ENFOLD_KIR_OP(name, text, operands, kind) name,
#include "kernel/Ops.def"
};

/// Which typing rule an instruction follows; the verifier has one case for each.
enum class OpKind : uint8_t {
  Constant,    ///< no operands, any type
  Affine,      ///< index terms times coefficients plus a constant
  Unary,       ///< T -> T, numbers that can be computed with
  Binary,      ///< T, T -> T, numbers that can be computed with
  Ternary,     ///< T, T, T -> T, floats
  Dot,         ///< S x n, T x kn, U x kn -> S x n, with T and U so narrow that k fill 32 bits
  Bitwise,     ///< T… -> T, integers and bool
  Shift,       ///< T, T -> T, integers
  Compare,     ///< T, T -> bool
  Select,      ///< bool, T, T -> T; the condition may have one lane
  FloatUnary,  ///< T -> T, f32 and f64
  FloatBinary, ///< T, T -> T, f32 and f64
  Convert,     ///< T -> U, same lanes; bitcast: the same bytes
  Lanes,       ///< changes the number of lanes
  Reduce,      ///< T x lanes -> T
  Memory,      ///< reads or writes a buffer
  Order,       ///< no operands and no result
  Tile,        ///< no operands and no result: works on the tiles that it names
  Variable,    ///< declares, reads or writes a mutable register
  Control,     ///< holds blocks
};

struct OpInfo {
  std::string_view text;
  int operands; ///< -1: varies
  OpKind kind;
};

/// The op table as data.
inline constexpr OpInfo kOpTable[] = {
#define ENFOLD_KIR_OP(name, text, operands, kind) {text, operands, OpKind::kind},
#include "kernel/Ops.def"
};

constexpr const OpInfo& info(Op op) { return kOpTable[static_cast<size_t>(op)]; }

} // namespace enfold::kir
