// Random numbers that are the same in every run: ops that draw them are constants of the network.
#pragma once

#include "onnx/Node.h"

namespace enfold::onnx {

/// Numbers in [0, 1), always the same ones for a seed. ONNX leaves the generator open; as its test
/// suite has it, this is the Mersenne Twister (Matsumoto and Nishimura 1998) in 53-bit numbers.
Tensor uniformNumbers(const Shape& shape, uint32_t seed);

/// Normally distributed numbers (Box and Muller, 1958) made of the same ones, two of each two.
Tensor normalNumbers(const Shape& shape, uint32_t seed);

/// An error when that many numbers are too many to be written down.
Result<> checkRandomCount(const Shape& shape);

} // namespace enfold::onnx
