// A table of the parts that may be appended to the values there are, and the drawing of them.
#include "fuzz/RandomGraph.h"

#include "fuzz/Parts.h"
#include "passes/Pipeline.h"

namespace enfold::fuzz {
namespace {

struct Part {
  int weight;
  void (*append)(Draft& draft);
};

constexpr Part kParts[] = {
    // layers
    {40, conv},
    {8, convTranspose},
    {8, sharedConv},
    {2, deformConv},
    {32, batchNorm},
    {6, gate},
    {12, pool},
    {4, globalPool},
    {2, unpool},
    {8, normalize},
    {6, head},
    {4, product},
    {3, recurrence},
    // pointwise
    {28, activation},
    {4, function},
    {8, clip},
    {4, prelu},
    {18, arithmetic},
    {18, combine},
    {3, jump},
    {4, choose},
    {3, branch},
    {8, nothing},
    {6, spelledOut},
    // movement and reductions
    {12, concat},
    {6, split},
    {4, slice},
    {8, pad},
    {8, movement},
    {3, repeat},
    {3, reverse},
    {2, cropOrMask},
    {5, reduce},
    {3, scan},
    // by indices, and between pixels
    {5, gather},
    {5, scatter},
    {4, order},
    {6, resize},
    {4, sample},
    // in integers
    {5, integers},
    {5, quantized},
    {6, quantizedNetwork},
    {10, typedTail},
};

void append(Draft& draft) {
  static const int64_t total = [] {
    int64_t sum = 0;
    for (const Part& part : kParts) sum += part.weight;
    return sum;
  }();
  int64_t ticket = draft.random.below(total);
  const Part* part = kParts;
  while (ticket >= part->weight) ticket -= part++->weight;
  part->append(draft);
}

/// What nothing reads is an output, and now and then something in the middle.
void addOutputs(Draft& draft) {
  for (const auto& op : draft.graph->ops()) {
    if (op->kind() == OpKind::Constant) continue;
    for (size_t i = 0; i < op->numResults(); ++i) {
      Value* value = op->result(i);
      if (draft.unsteady.contains(value)) continue;
      const bool isEnd = value->users().empty();
      if ((isEnd && !draft.random.chance(10)) ||
          (value->elem() == draft.elem && draft.random.chance(6)))
        draft.graph->addOutput(value, value->name());
    }
  }
  if (draft.graph->outputs().empty()) draft.graph->addOutput(draft.values.back(), "y");
}

} // namespace

std::unique_ptr<Graph> randomGraph(uint64_t seed, const GraphOptions& options) {
  Draft draft(seed, options);
  draft.input();
  const int64_t count = draft.random.in(2, options.maxOps);
  for (int64_t i = 0; i < count; ++i) {
    if (draft.random.chance(1)) draft.input();
    append(draft);
  }
  addOutputs(draft);
  return std::move(draft.graph);
}

std::string randomPipeline(uint64_t seed) {
  Random random(seed);
  std::vector<std::string> plain;
  for (const PassInfo& pass : passTable())
    if (pass.name != "assign-layout") plain.emplace_back(pass.name);
  if (random.chance(50)) {
    std::set<std::string> disabled;
    for (const std::string& name : plain)
      if (random.chance(15)) disabled.insert(name);
    return defaultPipeline().without(disabled).str();
  }
  const auto passes = [&](int64_t most) {
    std::string text;
    for (int64_t i = random.in(1, most); i > 0; --i)
      text += (text.empty() ? "" : ",") + random.pick(plain);
    return text;
  };
  std::string text = passes(5);
  if (random.chance(50)) text += ",(" + passes(4) + ")*";
  if (random.chance(70)) text += ",assign-layout,eliminate-dead";
  return text;
}

} // namespace enfold::fuzz
