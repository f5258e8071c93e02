// Building networks, and running them in every way.
#include "tests/hazards/Harness.h"

#include "ir/ConstantText.h"
#include "ir/Verifier.h"
#include "reference/Reference.h"

#include <fmt/format.h>

#include <algorithm>

namespace enfold::hazards {

Tensor randomTensor(ElemType elem, Shape shape, double low, double high) {
  static uint64_t seed = 1;
  Tensor tensor(elem, std::move(shape));
  fillRandom(tensor, seed++, low, high);
  return tensor;
}

Tensor numbers(ElemType elem, Shape shape, const std::vector<double>& values) {
  Tensor tensor(elem, std::move(shape));
  for (size_t i = 0; i < values.size(); ++i) tensor.setDouble(static_cast<int64_t>(i), values[i]);
  return tensor;
}

Value* Net::input(Type type) {
  return graph_->addInput(fmt::format("x{}", graph_->inputs().size()), std::move(type));
}

Op* Net::ops(OpKind kind, const std::string& name, std::vector<Value*> operands, AttrMap attrs,
             size_t results) {
  std::vector<std::string> names = {name};
  for (size_t i = 1; i < results; ++i) names.push_back(fmt::format("{}.{}", name, i));
  auto made = graph_->create({.kind = kind,
                              .operands = std::move(operands),
                              .attrs = std::move(attrs),
                              .resultNames = std::move(names),
                              .numResults = results,
                              .origins = {name}});
  ENFOLD_CHECK(made.has_value(), made.error().str());
  return *made;
}

Value* Net::op(OpKind kind, const std::string& name, std::vector<Value*> operands, AttrMap attrs) {
  return ops(kind, name, std::move(operands), std::move(attrs), 1)->result();
}

Op* Net::batchNormOp(const std::string& name, Value* x, const Norm& norm, size_t results) {
  const int64_t channels = x->type().rank() > 1 ? x->shape()[1] : 1;
  const auto part = [&](const std::optional<Tensor>& given, double low, double high) {
    return given ? constant(*given) : random({channels}, low, high);
  };
  AttrMap attrs = {{"epsilon", norm.epsilon}};
  if (norm.training) attrs["training_mode"] = int64_t{1};
  return ops(OpKind::BatchNormalization, name,
             {x, part(norm.scale, 0.5, 2), part(norm.bias, -1, 1), part(norm.mean, -1, 1),
              part(norm.variance, 0.5, 2)},
             std::move(attrs), results);
}

std::string Linear::str() const {
  return fmt::format("{} {}d group {} batch {}{}", name(kind), dims, group, batch,
                     bias ? " with bias" : "");
}

Value* Linear::addConv(Net& net, const std::string& name, Value* x, Value* w) const {
  // Transposed convolutions have as many outputs a group as they would have inputs.
  const int64_t outputs = kind == OpKind::Conv && group < kChannels ? 3 * group : kChannels;
  Shape in = {batch, kChannels}, weights = {outputs, kChannels / group};
  if (kind == OpKind::ConvTranspose) weights = {kChannels, group == kChannels ? 1 : 3};
  for (int64_t i = 0; i < dims; ++i) {
    in.push_back(7 - i);
    weights.push_back(3);
  }
  if (!x) x = net.input(in);
  std::vector<Value*> operands = {x, w ? w : net.random(weights)};
  const int64_t results = kind == OpKind::Conv ? outputs : group * weights[1];
  if (bias) operands.push_back(net.random({results}));
  AttrMap attrs = {{"group", group}};
  if (!pads.empty()) attrs["pads"] = pads;
  if (!strides.empty()) attrs["strides"] = strides;
  if (!dilations.empty()) attrs["dilations"] = dilations;
  return net.op(kind, name, std::move(operands), std::move(attrs));
}

Value* Linear::addProduct(Net& net, const std::string& name, Value* x) const {
  if (!x) x = net.input(dims == 2 ? Shape{batch, kChannels} : Shape{batch, 5, kChannels});
  const int64_t inner = x->shape().back();
  if (kind == OpKind::MatMul) return net.op(kind, name, {x, net.random({inner, 6})});
  std::vector<Value*> operands = {x, net.random({6, inner})};
  if (bias) operands.push_back(net.random({6}));
  return net.op(kind, name, std::move(operands),
                {{"transB", int64_t{1}}, {"alpha", 0.5f}, {"beta", 2.0f}});
}

std::vector<Linear> allLinear() {
  std::vector<Linear> all;
  for (OpKind kind : {OpKind::Conv, OpKind::ConvTranspose})
    for (int64_t dims : {1, 2, 3})
      for (int64_t group : {int64_t{1}, int64_t{2}, int64_t{4}, Linear::kChannels})
        for (bool bias : {false, true}) all.push_back({kind, dims, group, bias, dims == 2 ? 2 : 1});
  // Windows that are not plain, asymmetric ones among them.
  all.push_back({OpKind::Conv, 2, 2, true, 1, {1, 0, 2, 1}, {2, 1}, {1, 2}});
  all.push_back({OpKind::ConvTranspose, 2, 2, true, 3, {1, 0, 0, 1}, {2, 3}, {2, 1}});
  for (int64_t batch : {1, 5}) {
    for (bool bias : {false, true}) all.push_back({OpKind::Gemm, 2, 1, bias, batch});
    all.push_back({OpKind::MatMul, 2, 1, false, batch});
  }
  return all;
}

int64_t Outcome::count(OpKind kind) const {
  return std::ranges::count_if(graph().ops(), [&](const auto& op) { return op->kind() == kind; });
}

int64_t Outcome::numOps() const {
  return std::ranges::count_if(graph().ops(), [&](const auto& op) {
    return op->kind() != OpKind::Constant && op->kind() != OpKind::Reorder;
  });
}

const Remark* Outcome::remark(std::string_view pass, std::string_view node) const {
  for (const Remark& remark : report.remarks.remarks())
    if (remark.pass == pass && remark.ops.front() == node) return &remark;
  return nullptr;
}

std::string Outcome::statusOf(std::string_view pass, std::string_view node) const {
  const Remark* found = remark(pass, node);
  if (!found) return "";
  return (found->outcome == enfold::Outcome::Applied ? "applied " : "refused ") +
         std::string(info(found->reason).code);
}

std::vector<Tensor> randomInputs(const Graph& graph) {
  std::vector<Tensor> inputs;
  for (const auto& input : graph.inputs())
    inputs.push_back(randomTensor(input->elem(), input->shape()));
  return inputs;
}

Tolerance toleranceOf(ElemType elem) {
  if (elem == ElemType::F16) return {2e-3, 2e-3};
  if (elem == ElemType::BF16) return {2e-2, 2e-2};
  return {};
}

Outcome check(std::unique_ptr<Graph> graph, const CompileOptions& options) {
  const std::vector<Tensor> inputs = randomInputs(*graph);
  return check(std::move(graph), options, inputs);
}

Outcome check(std::unique_ptr<Graph> graph, const CompileOptions& options,
              const std::vector<Tensor>& inputs) {
  const auto fail = [](const Error& error) {
    ADD_FAILURE() << error.str();
    return Outcome{};
  };
  const auto expected = reference::run(*graph, inputs);
  if (!expected) return fail(expected.error());
  Outcome outcome;
  for (bool fuse : {false, true}) {
    CompileOptions how = options;
    how.fuse = fuse;
    auto compiled = compile(graph->clone(), how);
    if (!compiled) return fail(compiled.error());
    EXPECT_TRUE(compiled->report.settled) << "passes undo each other's work";
    if (auto valid = verify(*compiled->graph); !valid) return fail(valid.error());
    auto session = Session::create(compiled->executable, {.threads = 2});
    if (!session) return fail(session.error());
    const auto results = (*session)->run(inputs);
    if (!results) return fail(results.error());
    for (size_t i = 0; i < expected->size(); ++i) {
      const Tensor& wanted = (*expected)[i];
      const Comparison c = compare((*results)[i], wanted, toleranceOf(wanted.elem()));
      EXPECT_TRUE(c.same()) << (fuse ? "fused" : "unfused") << " output " << graph->outputNames()[i]
                            << " differs in " << c.mismatches << " elements by up to " << c.maxAbs
                            << " (of " << c.scale << ") " << c.problem;
      if (fuse) outcome.maxAbs = std::max(outcome.maxAbs, c.maxAbs);
    }
    outcome.executable = compiled->executable;
    outcome.optimized = compiled->graph;
    outcome.report = std::move(compiled->report);
  }
  EXPECT_EQ(outcome.count(OpKind::BatchNormalization), 0);
  return outcome;
}

} // namespace enfold::hazards
