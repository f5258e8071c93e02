// A layer written as a line of text, for benchmarks and checks of single kernels:
//
//   conv n1 c64 h56 w56 o64 k3 s1 p1 d1 g1 bias relu
//   conv c64 h56 w1 o64 k5 p2 r1 q0
//   gemm m1 k4096 n1000 bias
//
// Sizes that are left out are 1, but w is h and p is 0. The window is square, unless r is its width
// and q the padding there.
#pragma once

#include "ir/Graph.h"

namespace enfold::perf {

/// A graph of that layer alone. `text` is as above; anything else is an error that names the word.
Result<std::unique_ptr<Graph>> graphOf(std::string_view text);

} // namespace enfold::perf
