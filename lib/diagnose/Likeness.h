// Whether two models compile alike: the same rewrites done and refused, the same kernels, and about
// the same time.
#pragma once

#include "diagnose/Bench.h"

namespace enfold::diagnose {

struct Likeness {
  std::vector<std::string> differences; ///< a sentence each
  size_t rewrites = 0, kernels = 0;     ///< of the first model
  std::vector<BenchArm> times;          ///< of the first and the second; none if not measured

  bool alike() const { return differences.empty(); }
};

struct LikenessProblem {
  std::unique_ptr<Graph> first, second;
  CompileOptions compile = {};
  Session::Options session = {};
  double seconds = 0; ///< to measure each of them; 0: not at all
  std::function<void(double seconds, double total)> progress = {};
};

Result<Likeness> likeness(LikenessProblem problem);

} // namespace enfold::diagnose
