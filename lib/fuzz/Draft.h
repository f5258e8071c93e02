// Internal to lib/fuzz: a graph being drawn, and what the parts of networks are drawn with.
#pragma once

#include "fuzz/Random.h"
#include "fuzz/RandomGraph.h"

#include <set>

namespace enfold::fuzz {

using Ints = std::vector<int64_t>;

/// Values to go on from are floats, all of one element type; images have a batch, channels and one
/// to three dimensions of pixels. What a part cannot draw it leaves out.
class Draft {
public:
  Draft(uint64_t seed, const GraphOptions& options);

  /// The op's first result; null when it cannot be. Float results become values to go on from.
  Value* op(OpKind kind, std::vector<Value*> operands, AttrMap attrs = {}, size_t results = 1);
  void input();

  // Values to go on from.
  Value* any() { return random.pick(values); }
  Value* image();
  /// An input of the network: its numbers are known exactly, so that ops with jumps may read them.
  Value* exact();
  Value* sameShape(const Value* other);

  // Constants.
  Value* constant(Tensor tensor) { return graph->constant(std::move(tensor), "k"); }
  Value* numbers(Shape shape, double low, double high);
  /// Numbers that broadcast to x: mostly one per channel.
  Value* channelNumbers(const Value* x, double low, double high);
  Value* scalar(double value, std::optional<ElemType> type = {});
  Value* ints(const Ints& values) { return ints(values, {static_cast<int64_t>(values.size())}); }
  Value* ints(const Ints& values, const Shape& shape, ElemType type = ElemType::I64);
  /// Of a layer with that many inputs to an output.
  Value* weights(const Shape& shape, int64_t fanIn);

  // Choices.
  Ints each(int64_t low, int64_t high); ///< one number for each dimension of pixels
  Ints pads(int64_t most);
  int64_t groupOf(int64_t channels);
  int64_t axisOf(const Value* x); ///< possibly counted from the end

  Random random;
  std::unique_ptr<Graph> graph;
  ElemType elem;
  int spatial; ///< dimensions of pixels
  std::vector<Value*> values;
  std::set<const Value*> unsteady; ///< jump when numbers change a little: no outputs

private:
  const GraphOptions& options_;
  bool hasEmpty_; ///< inputs may lack elements, and what is made of them is gone on from
};

} // namespace enfold::fuzz
