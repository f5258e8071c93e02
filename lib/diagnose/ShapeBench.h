// A network on inputs that change their sizes: what the first call with new sizes takes, what later
// ones take, and what a program takes that was compiled for these sizes alone.
#pragma once

#include "diagnose/Json.h"
#include "driver/Network.h"

namespace enfold::diagnose {

struct ShapeBenchProblem {
  ModelSource model;
  Network::Options network;
  /// Of each measurement, texts like NAME=1x3x224x224, as for addShape().
  std::vector<std::vector<std::string>> sizes;
  double seconds = 0.2; ///< to measure each of the two programs
  bool compare = true;  ///< with programs that are compiled for one size
  std::function<void(size_t done, size_t total)> progress = {};
};

/// Milliseconds.
struct ShapeTimes {
  std::string sizes;
  double first = 0, steady = 0;
  double fixed = 0;    ///< the program for these sizes alone; 0 if it was not wanted
  bool equal = true;   ///< the same bits as a program for these sizes with the same algorithms
  CompileTimes stages; ///< of the first call
  int64_t kernels = 0; ///< that were compiled for the first call
};

struct ShapeBenchReport {
  std::string model;
  std::vector<ShapeTimes> shapes;
  int64_t kernels = 0; ///< compiled in all
};

Result<ShapeBenchReport> benchShapes(const ShapeBenchProblem& problem);

/// A row for each size, and what they have in common.
std::string print(const ShapeBenchReport& report);
Json toJson(const ShapeBenchReport& report);

} // namespace enfold::diagnose
