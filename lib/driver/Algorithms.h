// Setting the algorithms of convolutions, and keeping them when the sizes of an image change.
#pragma once

#include "codegen/TargetInfo.h"
#include "ir/Graph.h"

#include <mutex>
#include <string>
#include <vector>

namespace enfold {

void setAlgorithm(Graph& graph, Op& op, const std::string& algorithm);

/// The algorithms that a network's convolutions got for the first sizes of its inputs. They have
/// kernels in common for other sizes, and the sums of every size are added up in the same order.
class AlgorithmPins {
public:
  /// Sets the algorithm of every convolution of a graph that has been through the passes: of the
  /// first graph what is best for sizes about its own, of others what the first one got. A graph of
  /// other convolutions is left as it is, and so is one for which an algorithm does not exist.
  void apply(Graph& graph, const codegen::Target& target);

private:
  struct Pin {
    std::string op; ///< what there is to compute
    std::string algorithm;
  };
  std::mutex mutex_;
  std::vector<Pin> pins_;
  bool isChosen_ = false;
};

} // namespace enfold
