// Internal to lib/fuzz: what can be appended to a network. Each part reads existing values and adds
// ops, or adds nothing where they do not fit.
#pragma once

#include "fuzz/Draft.h"

namespace enfold::fuzz {

// Layers (LayerParts.cpp).
void conv(Draft& d);
void convTranspose(Draft& d);
void sharedConv(Draft& d);
void deformConv(Draft& d);
void batchNorm(Draft& d);
void gate(Draft& d);
void pool(Draft& d);
void globalPool(Draft& d);
void unpool(Draft& d);
void normalize(Draft& d);
void head(Draft& d);
void product(Draft& d);
void recurrence(Draft& d);

// Pointwise (PointwiseParts.cpp).
void activation(Draft& d);
void function(Draft& d);
void clip(Draft& d);
void prelu(Draft& d);
void arithmetic(Draft& d);
void combine(Draft& d);
void jump(Draft& d);
void choose(Draft& d);
void branch(Draft& d);
void nothing(Draft& d);
void spelledOut(Draft& d);

// Movement and reductions (MovementParts.cpp).
void concat(Draft& d);
void split(Draft& d);
void slice(Draft& d);
void pad(Draft& d);
void movement(Draft& d);
void repeat(Draft& d);
void reverse(Draft& d);
void cropOrMask(Draft& d);
void reduce(Draft& d);
void scan(Draft& d);

// By indices, and between pixels (IndexParts.cpp).
void gather(Draft& d);
void scatter(Draft& d);
void order(Draft& d);
void resize(Draft& d);
void sample(Draft& d);

// In integers (IntegerParts.cpp).
void integers(Draft& d);
void quantized(Draft& d);

// Between dequantizations and quantizations (QuantizedParts.cpp).
void quantizedNetwork(Draft& d);

// Tails that change the element type (TypedParts.cpp).
void typedTail(Draft& d);

} // namespace enfold::fuzz
