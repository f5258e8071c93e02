// The passes that make a graph smaller, without those that prepare it for lowering.
#include "quantize/Prepare.h"

namespace enfold::quantize {
namespace {

constexpr const char* kPasses = "(canonicalize,fold-constants,fold-batchnorm,fold-forward,fold-pad,"
                                "common-subexpression,eliminate-dead)*";

bool isOfCodes(OpKind kind) {
  switch (kind) {
  case OpKind::ConvInteger:
  case OpKind::DequantizeLinear:
  case OpKind::DynamicQuantizeLinear:
  case OpKind::MatMulInteger:
  case OpKind::QLinearConv:
  case OpKind::QLinearMatMul:
  case OpKind::QuantizeLinear:
    return true;
  default:
    return false;
  }
}

} // namespace

Result<std::unique_ptr<Graph>> prepared(const Graph& model, const CompileOptions& options) {
  for (const auto& op : model.ops())
    if (isOfCodes(op->kind())) return invalid("the model is quantized already", op->describe());
  auto graph = model.clone();
  CompileOptions folding = options;
  folding.pipeline = kPasses;
  folding.tune.reset();
  ENFOLD_TRY(const codegen::Target target, targetOf(folding));
  ENFOLD_RETURN_IF_ERROR(optimize(*graph, folding, target));
  return graph;
}

bool areAlike(const Graph& a, const Graph& b) {
  if (a.numOps() != b.numOps() || a.inputs().size() != b.inputs().size() ||
      a.outputs().size() != b.outputs().size())
    return false;
  std::unordered_map<const Value*, const Value*> partner = {{nullptr, nullptr}};
  for (size_t i = 0; i < a.inputs().size(); ++i) partner[a.inputs()[i].get()] = b.inputs()[i].get();
  const auto isPartner = [&](const Value* x, const Value* y) { return partner.at(x) == y; };
  for (auto x = a.ops().begin(), y = b.ops().begin(); x != a.ops().end(); ++x, ++y) {
    const Op &one = **x, &other = **y;
    if (one.kind() != other.kind() || one.attrs() != other.attrs() ||
        one.numResults() != other.numResults() ||
        !std::ranges::equal(one.operands(), other.operands(), isPartner))
      return false;
    for (size_t i = 0; i < one.numResults(); ++i) partner[one.result(i)] = other.result(i);
  }
  return std::ranges::equal(a.outputs(), b.outputs(), isPartner);
}

} // namespace enfold::quantize
