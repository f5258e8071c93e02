// tabulate: what an elementwise subgraph makes of one 8-bit number, an 8-bit number again, is a
// table of 256 that the reference computes: a dequantization, an activation and a quantization, or
// a whole gate with the roundings inside it.
#include "passes/Match.h"
#include "passes/Pass.h"
#include "passes/integer/Quantized.h"
#include "reference/Reference.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

namespace enfold {
namespace {

constexpr size_t kMostOps = 64; ///< of a subgraph

bool isQuantization(const Op& op) {
  return op.kind() == OpKind::QuantizeLinear || op.kind() == OpKind::DequantizeLinear;
}

/// Whether the op gathers from a table what each byte stands for.
bool isLookup(const Op& op) {
  return op.kind() == OpKind::Gather && isByte(op.own(1)->elem()) && op.own(0)->constant();
}

/// Whether each element of the op's result depends on one element of each operand.
bool isPointwise(const Op& op) {
  return (op.info().is(traits::Elementwise) || isQuantization(op) || isLookup(op)) &&
         op.epilogue().empty() && op.numResults() == 1;
}

/// The ops between one 8-bit tensor and one 8-bit result.
struct Cone {
  Value* input = nullptr;
  std::vector<Op*> ops; ///< each behind those that it reads
};

class Search {
public:
  explicit Search(Op& root) : root_(root) {}

  /// Nothing where the root depends on more than one tensor, or on one of another shape.
  std::optional<Cone> run() {
    if (!visit(root_) || !cone_.input) return std::nullopt;
    return std::move(cone_);
  }

private:
  bool visit(Op& op) {
    if (cone_.ops.size() + depth_ > kMostOps || !isPointwise(op) ||
        op.result()->shape() != root_.result()->shape())
      return false;
    ++depth_;
    for (Value* operand : op.ownOperands())
      if (operand && !read(*operand, op)) return false;
    --depth_;
    cone_.ops.push_back(&op);
    return true;
  }

  bool read(Value& value, const Op& reader) {
    if (value.constant()) return isLookup(reader) || value.type().numElements() == 1;
    if (!known_.insert(&value).second) return true;
    Op* producer = value.producer();
    if (isByte(value.elem()) && !(producer && isLookup(*producer))) {
      if (cone_.input || value.shape() != root_.result()->shape()) return false;
      cone_.input = &value;
      return true;
    }
    return producer && visit(*producer);
  }

  Op& root_;
  Cone cone_;
  std::unordered_set<const Value*> known_;
  size_t depth_ = 0;
};

/// What the ops make of each byte.
Result<Tensor> tableOf(const Cone& cone, const Value* result) {
  Graph graph;
  Shape shape(result->shape().size(), 1);
  shape.back() = 256;
  std::unordered_map<const Value*, Value*> map;
  map[cone.input] = graph.addInput("x", {cone.input->elem(), shape, {}});
  for (const Op* op : cone.ops) {
    OpSpec spec{.kind = op->kind(), .operands = {}, .attrs = op->attrs()};
    for (Value* operand : op->ownOperands()) {
      if (const Tensor* tensor = operand ? operand->constant() : nullptr)
        map.emplace(operand, graph.constant(*tensor, "k"));
      spec.operands.push_back(operand ? map.at(operand) : nullptr);
    }
    ENFOLD_TRY(Op * made, graph.create(std::move(spec)));
    map[op->result()] = made->result();
  }
  graph.addOutput(map.at(result), "y");
  Tensor codes(cone.input->elem(), shape);
  std::byte* bytes = codes.mutableBytes();
  for (int i = 0; i < 256; ++i) bytes[i] = static_cast<std::byte>(i);
  ENFOLD_TRY(std::vector<Tensor> outputs, reference::run(graph, {&codes, 1}));
  return outputs[0].reshaped({256});
}

/// Whether the table gives each byte itself.
bool isIdentity(const Tensor& table) {
  for (int i = 0; i < 256; ++i)
    if (table.bytes()[i] != static_cast<std::byte>(i)) return false;
  return true;
}

/// A change of scale alone is left to the epilogue of what computes the integers.
bool isLeftToEpilogue(const Cone& cone) {
  const Op* producer = cone.input->producer();
  return producer && producer->info().supportsEpilogue() && producer->numResults() == 1 &&
         cone.ops.size() == 2 &&
         std::ranges::all_of(cone.ops, [](const Op* op) { return isQuantization(*op); }) &&
         isOnlyUsedBy(cone.input, cone.ops.front());
}

void tryTabulate(PassContext& context, Op& root) {
  if (root.result()->shape().empty() || root.result()->type().numElements() == 0) return;
  const auto cone = Search(root).run();
  if (!cone || isLeftToEpilogue(*cone)) return;
  // Arithmetic in integers alone is no more work than a table; behind a table it is part of it.
  const bool hasFloats =
      std::ranges::any_of(cone->ops, [](const Op* op) { return isFloat(op->result()->elem()); });
  const bool hasTable = std::ranges::any_of(cone->ops, [](const Op* op) { return isLookup(*op); });
  if (!hasFloats && !(hasTable && cone->ops.size() > 1)) return;
  const auto table = tableOf(*cone, root.result());
  if (!table) return context.refused(Reason::NotEvaluated, root, table.error().str());
  if (!context.begin(root)) return;
  context.applied(Reason::Tabulated, root,
                  fmt::format("{} ops are a table of 256 entries", cone->ops.size()));
  Rewriter& rewriter = context.rewriter();
  if (isIdentity(*table) && cone->input->elem() == root.result()->elem()) {
    rewriter.replace(root.result(), cone->input);
    rewriter.eraseDead(&root);
    return;
  }
  const std::string name = root.result()->name();
  Value* constant = rewriter.constant(*table, name + "_table", &root);
  Op* lookup =
      rewriter.create({.kind = OpKind::Gather, .operands = {constant, cone->input}}, &root);
  for (const Op* op : cone->ops) rewriter.addOrigins(lookup, op->origins());
  rewriter.replace(root.result(), lookup->result());
  rewriter.eraseDead(&root);
  rewriter.rename(lookup->result(), name);
}

} // namespace

Result<> tabulate(PassContext& context) {
  for (auto it = context.graph().ops().begin(); it != context.graph().ops().end();) {
    Op& op = **it++;
    if (isPointwise(op) && isByte(op.result()->elem())) tryTabulate(context, op);
  }
  return {};
}

} // namespace enfold
