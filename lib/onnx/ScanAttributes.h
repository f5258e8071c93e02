// The attributes of Scan.
#pragma once

#include "onnx/Node.h"

namespace enfold::onnx {

/// Lists that are left out are of zeros.
struct ScanAttributes {
  int64_t numInputs;
  std::vector<int64_t> inputAxes, inputDirections, outputAxes, outputDirections;

  static int64_t at(const std::vector<int64_t>& list, size_t i) {
    return i < list.size() ? list[i] : 0;
  }
  /// Takes them from a node that scans some of so many inputs.
  static Result<ScanAttributes> take(Node& node, size_t inputs, size_t outputs);
};

} // namespace enfold::onnx
