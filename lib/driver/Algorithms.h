// Setting the algorithms of convolutions, and keeping them when the sizes of an image change.
#pragma once

#include "codegen/TargetInfo.h"
#include "ir/Graph.h"
#include "ir/OpLayouts.h"

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace enfold {

void setAlgorithm(Graph& graph, Op& op, const std::string& algorithm);

/// The algorithms that a network's convolutions got for the first sizes of its inputs, and the
/// blocks of channels of their results, which algorithms depend on. They have kernels in common for
/// other sizes, and the sums of every size are added up in the same order.
class AlgorithmPins {
public:
  struct Pin {
    std::string op; ///< what there is to compute
    std::string algorithm;
    bool operator==(const Pin&) const = default;
  };
  /// All there is to know of them.
  struct Choice {
    std::string sizes; ///< that they are for
    std::vector<Pin> pins;
    std::map<std::string, Layout> results; ///< by what there is to compute
    bool operator==(const Choice&) const = default;
  };

  /// Takes over what another process chose.
  void adopt(Choice choice);
  /// Tells what sizes the next graph is for, unless there has been a first one.
  void chooseFor(std::string sizes);
  /// The sizes that they are for, or will be.
  std::string sizes() const;
  /// None before the first graph.
  std::optional<Choice> choice() const;

  /// The layouts for an op of a graph that is going through the passes, which are best for it as
  /// `own` has them: of the first graph these, of others with the blocks that the first one got.
  OpLayouts layoutsFor(const Op& op, OpLayouts own);
  /// Sets the algorithms of the convolutions of a graph that has been through the passes: of the
  /// first graph what is best for sizes about its own, of others what the first one got. A graph
  /// that has not as many convolutions is left as it is, and so is a convolution that computes
  /// something else than the first graph's, or for which its algorithm does not exist.
  void apply(Graph& graph, const codegen::Target& target);

private:
  mutable std::mutex mutex_;
  Choice choice_;
  bool isChosen_ = false;
};

} // namespace enfold
