// A graph as it was imported and after every pass that changed it. Ops that stay as they are
// between two stages are kept once.
#pragma once

#include "diagnose/Json.h"
#include "passes/PassManager.h"

namespace enfold::diagnose {

/// A tensor as some op of some stage reads or computes it.
struct ValueRecord {
  enum class Source : uint8_t { Input, Constant, Computed };

  std::string name;
  Type type;
  Source source = Source::Computed;
};

/// An op as it stands in one or more stages. Constants are values, not ops.
struct OpRecord {
  static constexpr int64_t kAbsent = -1;

  std::string op;                    ///< its kind: "conv"
  std::vector<std::string> epilogue; ///< the kinds of the ops fused into it, in order
  std::vector<int64_t> operands;     ///< indices of values; kAbsent
  std::vector<int64_t> results;
  std::vector<std::string> nodes; ///< the ONNX nodes whose work it does
  std::string text;               ///< as in the graph's text form
};

struct Stage {
  std::string pass; ///< that led to it; empty: the graph as imported
  double seconds = 0;
  int64_t rewrites = 0;
  std::vector<int64_t> ops; ///< indices of ops, in order
};

class GraphHistory final : public PassObserver {
public:
  explicit GraphHistory(const Graph& imported) { add("", 0, 0, imported); }

  Result<> after(const PassRun& run, const Graph& graph) override;
  /// The graph after something that is no pass, as a stage of its own if that changed it.
  void add(std::string step, double seconds, int64_t rewrites, const Graph& graph);

  std::span<const Stage> stages() const { return stages_; }
  std::span<const OpRecord> ops() const { return ops_; }
  std::span<const ValueRecord> values() const { return values_; }
  /// The ops of the latest stage by the names of their first results.
  std::unordered_map<std::string, int64_t> latestOps() const;

private:
  int64_t recordOf(const Op& op);
  int64_t recordOf(const Value* value);

  std::vector<Stage> stages_;
  std::vector<OpRecord> ops_;
  std::vector<ValueRecord> values_;
  std::unordered_map<std::string, int64_t> valueIndex_; ///< by name, type and source
  std::unordered_map<std::string, int64_t> opIndex_;    ///< by text and values
};

Json toJson(const GraphHistory& history);

} // namespace enfold::diagnose
