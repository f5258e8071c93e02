// Random convolutional networks: branches, values with several readers, shared weights, every
// grouping, odd sizes and windows, normalizations in odd places, all kinds of activations, pools,
// concat, resize, padding and the ops exporters leave lying about; now and then without any batch,
// channels or pixels. Numbers stay tame, and ops with jumps are left out, so that outputs can be
// compared.
#pragma once

#include "ir/Graph.h"

namespace enfold::fuzz {

struct GraphOptions {
  int maxOps = 14;             ///< ops drawn, helpers and constants not counted
  int64_t maxElements = 12000; ///< of any tensor
};

/// The same graph for the same seed.
std::unique_ptr<Graph> randomGraph(uint64_t seed, const GraphOptions& options = {});

/// A pipeline of random passes in a random order, or the default one without some. Its text parses.
std::string randomPipeline(uint64_t seed);

} // namespace enfold::fuzz
