// What the tests of fusion hazards share: writing small networks, and comparing what the compiler
// makes of one, with fusion and without, with the reference functions.
#pragma once

#include "diagnose/Compare.h"
#include "driver/Compiler.h"

#include <gtest/gtest.h>

namespace enfold::hazards {

using diagnose::compare;
using diagnose::Comparison;
using diagnose::Tolerance;

/// Uniform numbers that differ from one call to the next, and are the same in every run.
Tensor randomTensor(ElemType elem, Shape shape, double low = -1, double high = 1);

/// A tensor of these numbers, whatever the type.
Tensor numbers(ElemType elem, Shape shape, const std::vector<double>& values);

/// Parameters of a batch normalization of `channels`; what a test leaves out is random.
struct Norm {
  std::optional<Tensor> scale, bias, mean, variance;
  float epsilon = 1e-5f;
  bool training = false;
};

/// A network under construction. Ops are named by the caller, and so are their origins.
class Net {
public:
  explicit Net(ElemType elem = ElemType::F32) : elem_(elem) {}

  Value* input(Shape shape) { return input(Type{elem_, std::move(shape), {}}); }
  Value* input(Type type);
  Value* constant(Tensor tensor) { return graph_->constant(std::move(tensor), "k"); }
  Value* random(Shape shape, double low = -1, double high = 1) {
    return constant(randomTensor(elem_, std::move(shape), low, high));
  }

  Value* op(OpKind kind, const std::string& name, std::vector<Value*> operands, AttrMap attrs = {});
  Op* ops(OpKind kind, const std::string& name, std::vector<Value*> operands, AttrMap attrs,
          size_t results);

  Op* batchNormOp(const std::string& name, Value* x, const Norm& norm = {}, size_t results = 1);
  Value* batchNorm(const std::string& name, Value* x, const Norm& norm = {}) {
    return batchNormOp(name, x, norm)->result();
  }

  void output(Value* value) { graph_->addOutput(value, value->name()); }
  std::unique_ptr<Graph> finish() { return std::move(graph_); }
  Graph& graph() { return *graph_; }

private:
  ElemType elem_;
  std::unique_ptr<Graph> graph_ = std::make_unique<Graph>("hazard");
};

/// A linear op in front of a normalization: every kind, rank and grouping there is.
struct Linear {
  OpKind kind = OpKind::Conv;
  int64_t dims = 2; ///< spatial ones; of a product: the rank of its first operand
  int64_t group = 1;
  bool bias = false;
  int64_t batch = 2;
  std::vector<int64_t> pads = {}, strides = {}, dilations = {};

  std::string str() const;

  static constexpr int64_t kChannels = 8;
  bool isProduct() const { return kind == OpKind::Gemm || kind == OpKind::MatMul; }

  Value* addTo(Net& net, const std::string& name, Value* x = nullptr, Value* w = nullptr) const {
    return isProduct() ? addProduct(net, name, x) : addConv(net, name, x, w);
  }

  Value* addConv(Net& net, const std::string& name, Value* x, Value* w) const;
  Value* addProduct(Net& net, const std::string& name, Value* x) const;
};

/// Every kind of linear op that a normalization can be folded into.
std::vector<Linear> allLinear();

/// What became of a network.
struct Outcome {
  std::shared_ptr<const Executable> executable;
  std::shared_ptr<const Graph> optimized;
  PipelineReport report;
  double maxAbs = 0; ///< of the fused network against the reference

  const Graph& graph() const { return *optimized; }
  int64_t count(OpKind kind) const;
  /// Ops that compute, leaving out constants and changes of layout.
  int64_t numOps() const;
  const Remark* remark(std::string_view pass, std::string_view node) const;
  /// "applied folded", "refused conv-multi-use" or "" when the pass says nothing of the node.
  std::string statusOf(std::string_view pass, std::string_view node) const;
};

std::vector<Tensor> randomInputs(const Graph& graph);

/// Narrow types are computed in single precision and rounded once or twice.
Tolerance toleranceOf(ElemType elem);

/// Compiles the network fused and unfused and runs both: the answers must be the reference's.
Outcome check(std::unique_ptr<Graph> graph, const CompileOptions& options = {});
/// The same for these inputs.
Outcome check(std::unique_ptr<Graph> graph, const CompileOptions& options,
              const std::vector<Tensor>& inputs);

} // namespace enfold::hazards
