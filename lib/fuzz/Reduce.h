// Makes a graph and a pipeline that fail smaller as long as they still fail: outputs dropped,
// values turned into inputs, ops bypassed, passes left out.
#pragma once

#include "ir/Graph.h"

#include <functional>
#include <string>

namespace enfold::fuzz {

struct Case {
  std::unique_ptr<Graph> graph;
  std::string pipeline;
};

/// `fails` decides whether a smaller case still shows the failure.
Case reduce(Case failing, const std::function<bool(const Graph&, const std::string&)>& fails);

} // namespace enfold::fuzz
