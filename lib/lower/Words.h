// What a step of a sum of products multiplies: a number, or a word of numbers of neighbouring input
// channels, whose products are added to the sum together.
#pragma once

#include "kernel/Machine.h"

#include <string_view>

namespace enfold::lower {

struct Words {
  kir::Scalar pixel = kir::Scalar::F32, weight = kir::Scalar::F32, sum = kir::Scalar::F32;
  int channels = 1;

  bool operator==(const Words&) const = default;
};

/// Pixels widened, less their zero point, so that borders of zeros are what they are elsewhere.
inline constexpr Words kPairs{kir::Scalar::I16, kir::Scalar::I16, kir::Scalar::I32, 2};
/// Pixels as they are stored; their zero point is taken from the sums.
inline constexpr Words kBytes{kir::Scalar::U8, kir::Scalar::I8, kir::Scalar::I32, 4};
/// The same for processors that multiply signed bytes alone.
inline constexpr Words kSignedBytes{kir::Scalar::I8, kir::Scalar::I8, kir::Scalar::I32, 4};

/// bf16, as they are stored.
inline constexpr Words kHalves{kir::Scalar::BF16, kir::Scalar::BF16, kir::Scalar::F32, 2};

/// kBytes or kSignedBytes, which the processor prefers.
Words bytesFor(const kir::Machine& machine);

/// "bytes ", "pairs ", "bf16 ", or nothing for numbers: in front of the tiles of what multiplies
/// them.
std::string_view prefix(const Words& words);

/// Whether one instruction adds up the products of such words.
bool hasDot(const kir::Machine& machine, const Words& words);

/// Whether products of tiles add up those of such words.
bool hasTiles(const kir::Machine& machine, const Words& words);

/// How many such instructions there are in a cycle.
const kir::Throughput& dotsOf(const kir::Machine& machine, const Words& words);

} // namespace enfold::lower
